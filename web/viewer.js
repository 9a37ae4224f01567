// The shown profile: what it is of, its flame graph, the tables beside it, and what changed since
// an earlier one. What is chosen stands in the address (choice.js).
//
// SPDX-License-Identifier: MIT

import { choose, readChoice } from "./choice.js";
import { byId, clock, element, milliseconds, moment, percent, rate, rateChange } from "./dom.js";
import { createFlame } from "./flame.js";
import {
  filterSamples, functionChanges, markChanges, tagKeys, totalNs, treeOf,
} from "./profile.js";
import { changeRow, filterOf, showChips, showTables } from "./tables.js";

const CHANGES_MAX = 5; // in each direction
// Of the larger sum; what is less is chance.
const CHANGE_MIN = 0.005;
// Of the window's height: what is left of it below the first lines.
const GRAPH_SHARE = 0.62;
const KIND_NAMES = { cpu: "CPU time", wall: "wall time" };

let now = null; // { startMs, profiles: { cpu, wall } }, of one window
let earlier = null; // the same, or null
let zoom = []; // names from the root
let zoomedIn = ""; // the view that this zoom belongs to

const flame = createFlame(byId("flame"), {
  told: (text) => {
    byId("details").textContent = text || "\u00a0";
  },
  zoomed: (path) => {
    zoom = path;
    byId("reset").hidden = path.length === 0;
  },
});

// The wanted kind of those that there are, or else wall time, which has more to tell.
export function kindOf(kinds, wanted) {
  return wanted in kinds ? wanted : "wall" in kinds ? "wall" : "cpu";
}

// Shows the profiles of one window and, where `before` is not null, what changed since.
export function showView(window, before) {
  now = window;
  earlier = before;
  // A zoom is followed between the two profiles of a comparison.
  const view = JSON.stringify({ ...readChoice(), at: window.startMs, earlier: null });
  if (view !== zoomedIn) zoom = [];
  zoomedIn = view;
  byId("viewer").hidden = false;
  byId("answer").hidden = false;
  draw();
}

export function focusSearchBySlash() {
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("input, select, textarea");
    if (event.key === "/" && !isTyping && !byId("viewer").hidden) {
      event.preventDefault();
      byId("search").focus();
    }
  });
}

// Whoever gets the address shall see the same: it names the profile from the first choice on.
const change = (changes) => choose({ at: now.startMs, ...changes });

const secondsOf = (profile) => profile.durationS || 1;

function draw() {
  const choice = readChoice();
  const kind = kindOf(now.profiles, choice.kind);
  const profile = now.profiles[kind];
  const before = earlier?.profiles[kind] ?? null;
  const samples = filterSamples(profile.samples, choice);
  const samplesBefore = before ? filterSamples(before.samples, choice) : null;
  const held = document.activeElement;
  const place = held?.closest("[id]")?.id;

  showKinds(kind);
  showChips(choice);
  showTables({ profiles: now.profiles, kind, choice, samples });
  showSplits(profile, choice);
  const trees = [treeOf(samples, choice.split)];
  if (before) trees.push(treeOf(samplesBefore, choice.split));
  if (before) markBoth(trees, [profile, before]);
  byId("changes").hidden = !before;
  if (before) showChanges([profile, before], [samples, samplesBefore], kind, choice);
  const isEarlier = Boolean(before && choice.earlier);
  const rates = trees.map((tree, i) => tree.value / secondsOf(i === 0 ? profile : before));
  drawGraph(trees, isEarlier, Math.max(...rates));
  showTitle({ profile: isEarlier ? before : profile, tree: trees[isEarlier ? 1 : 0], kind });
  keepFocus(held, place);
}

// Rows and chips are made anew: the keys stay on the one that had them, or go from a chip that is
// gone to its row.
function keepFocus(held, place) {
  if (!held?.dataset.filter || held.isConnected) return;
  const same = `[data-filter="${CSS.escape(held.dataset.filter)}"]`;
  (byId(place).querySelector(same) ?? document.querySelector(same))?.focus();
}

function showKinds(kind) {
  for (const each of ["cpu", "wall"]) {
    byId(`show-${each}`).disabled = !(each in now.profiles);
    byId(`show-${each}`).setAttribute("aria-pressed", String(each === kind));
  }
}

function showSplits(profile, choice) {
  const keys = tagKeys(profile.samples);
  byId("split").replaceChildren(...["", ...keys].map((key) => {
    const made = element("option", { value: key }, key || "nothing");
    made.selected = key === choice.split;
    return made;
  }));
}

function markBoth([tree, treeBefore], [profile, before]) {
  const [length, lengthBefore] = [secondsOf(profile), secondsOf(before)];
  markChanges(tree, length, treeBefore, lengthBefore);
  markChanges(treeBefore, lengthBefore, tree, length, -1);
}

function drawGraph(trees, isEarlier, largestRate) {
  const tree = trees[isEarlier ? 1 : 0];
  flame.show(tree, GRAPH_SHARE * innerHeight, largestRate);
  flame.zoomTo(zoom);
  const { tags, functions } = readChoice();
  const isFiltered = Object.keys(tags).length > 0 || functions.length > 0;
  byId("nothing").hidden = tree.value > 0;
  byId("nothing").textContent = isFiltered
    ? "No sample passes these filters." : "Nothing ran in this window.";
  byId("legend-single").hidden = trees.length === 2;
  byId("legend-pair").hidden = trees.length === 1;
  byId("sides").hidden = trees.length === 1;
  byId("draw-now").setAttribute("aria-pressed", String(!isEarlier));
  byId("draw-earlier").setAttribute("aria-pressed", String(isEarlier));
  search();
}

// "2.10 s of wall time in 10.0 s, 25.1 % of 8.37 s", which pass the filters of all.
function showTitle({ profile, tree, kind }) {
  const all = totalNs(profile.samples);
  const sum = `${milliseconds(tree.value)} of ${KIND_NAMES[kind]} in ${profile.durationS.toFixed(1)} s`;
  const part = tree.value === all ? "" : `, ${percent(tree.value / (all || 1))} of ${milliseconds(all)}`;
  byId("title").textContent = `${sum}${part}`;
}

function changeRows(changes, choice) {
  if (changes.length === 0) return [element("tr", {}, element("td", { colspan: 4 }, "none"))];
  return changes.slice(0, CHANGES_MAX).map((each) =>
    changeRow(each, [rate(each.before), rate(each.after), rateChange(each.change)], choice));
}

function showChanges([profile, before], [samples, samplesBefore], kind, choice) {
  const lengths = [secondsOf(before), secondsOf(profile)];
  const sums = [totalNs(samplesBefore) / lengths[0], totalNs(samples) / lengths[1]];
  const least = CHANGE_MIN * Math.max(...sums);
  const all = functionChanges(samplesBefore, lengths[0], samples, lengths[1])
    .filter((each) => Math.abs(each.change) >= least);
  byId("changes-title").textContent = `What changed since ${moment(before.startMs)}`;
  byId("changes-sum").textContent = `The server spends ${milliseconds(sums[1])} of`
    + ` ${KIND_NAMES[kind]} in each second. It was ${milliseconds(sums[0])} then.`;
  byId("more").replaceChildren(...changeRows(all.filter((each) => each.change > 0), choice));
  byId("less").replaceChildren(...changeRows(all.filter((each) => each.change < 0), choice));
  byId("draw-earlier").textContent = clock(before.startMs);
  byId("draw-now").textContent = clock(profile.startMs);
}

function search() {
  const text = byId("search").value.trim();
  const share = flame.search(text);
  byId("found").textContent = text ? `found in ${percent(share)}` : "";
}

for (const id of ["chips", "tables", "changes"]) {
  byId(id).addEventListener("click", (event) => {
    const changes = filterOf(event.target, readChoice());
    if (changes) change(changes);
  });
}
byId("clear").addEventListener("click", () => change({ tags: {}, functions: [] }));
byId("show-cpu").addEventListener("click", () => {
  const { state: _state, ...tags } = readChoice().tags; // which CPU time has not
  change({ kind: "cpu", tags });
});
byId("show-wall").addEventListener("click", () => change({ kind: "wall" }));
byId("draw-now").addEventListener("click", () => change({ earlier: false }));
byId("draw-earlier").addEventListener("click", () => change({ earlier: true }));
byId("by").addEventListener("change", (event) => change({ by: event.target.value }));
byId("split").addEventListener("change", (event) => change({ split: event.target.value }));
byId("search").addEventListener("input", search);
byId("reset").addEventListener("click", () => flame.reset());
