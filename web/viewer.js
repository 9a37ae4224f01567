// The chosen profile: alone, or beside another with what differs between them.
//
// SPDX-License-Identifier: MIT

import { byId, clock, element, milliseconds, percent, points, row } from "./dom.js";
import { createFlame } from "./flame.js";
import {
  decodeProfile, filterSamples, functionChanges, functionTimes, markChanges, tagValues, totalNs,
  treeOf,
} from "./profile.js";

const FUNCTIONS_MAX = 15;
const CHANGE_MIN = 0.0005;

const state = {
  sides: [], // one or two of { profile }, the older first
  wanted: {}, // tag to value
  splitBy: "",
  zoom: [], // names from the root
};

const flames = ["flame-left", "flame-right"].map((id, index) =>
  createFlame(byId(id), {
    told: (text) => {
      byId("details").textContent = text || "\u00a0";
    },
    zoomed: (path) => {
      state.zoom = path;
      if (state.sides.length === 2) flames[1 - index].zoomTo(path);
    },
  }));

// Shows one profile, or two side by side; each is { bytes }, of a pprof file.
export async function showProfiles(chosen) {
  const sides = await Promise.all(
    chosen.map(async ({ bytes }) => ({ profile: await decodeProfile(bytes) })),
  );
  sides.sort((a, b) => a.profile.startMs - b.profile.startMs);
  state.sides = sides;
  state.zoom = [];
  byId("viewer").hidden = false;
  makeFilters();
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

const allSamples = () => state.sides.flatMap((side) => side.profile.samples);
const samplesOf = (side) => filterSamples(side.profile.samples, state.wanted);

function option(value, text, chosen) {
  const made = element("option", { value }, text);
  made.selected = value === chosen;
  return made;
}

// One choice for each tag that the samples have. What was chosen before stays if it is there.
function makeFilters() {
  const tags = tagValues(allSamples());
  const wanted = {};
  const labels = [];
  for (const [key, values] of tags) {
    const names = values.map(([value]) => value);
    wanted[key] = names.includes(state.wanted[key]) ? state.wanted[key] : "";
    const select = element("select", { "data-tag": key });
    select.append(option("", "all", wanted[key]));
    for (const [value, ns] of values) {
      select.append(option(value, `${value} (${milliseconds(ns)})`, wanted[key]));
    }
    labels.push(element("label", {}, key, select));
  }
  state.wanted = wanted;
  byId("filters").replaceChildren(...labels);

  if (!tags.has(state.splitBy)) state.splitBy = "";
  byId("split").replaceChildren(
    option("", "nothing", state.splitBy),
    ...[...tags.keys()].map((key) => option(key, key, state.splitBy)),
  );
}

function title(side) {
  const { kind, startMs, durationS } = side.profile;
  const name = kind === "cpu" ? "CPU" : kind;
  return `${name} time, ${clock(startMs)}, ${durationS.toFixed(1)} s`;
}

function draw() {
  const isPair = state.sides.length === 2;
  const samples = state.sides.map(samplesOf);
  const trees = samples.map((each) => treeOf(each, state.splitBy));
  if (isPair) {
    // The older one is read backwards, so that a function has one colour on both sides.
    markChanges(trees[0], trees[1]);
    negate(trees[0]);
    markChanges(trees[1], trees[0]);
  }
  byId("graphs").classList.toggle("pair", isPair);
  byId("graph-right").hidden = !isPair;
  state.sides.forEach((side, index) => {
    const caption = `${title(side)}: ${milliseconds(trees[index].value)}`;
    byId(index === 0 ? "title-left" : "title-right").textContent = caption;
    flames[index].show(trees[index]);
    flames[index].zoomTo(state.zoom);
  });
  byId("nothing").hidden = samples.some((each) => each.length > 0);
  byId("legend-single").hidden = isPair;
  byId("legend-pair").hidden = !isPair;
  if (isPair) showChanges(samples);
  else showTop(samples[0]);
  search();
}

function negate(node) {
  node.change = -node.change;
  node.children.forEach(negate);
}

function fillTable(headings, rows) {
  byId("functions-head").replaceChildren(
    element("tr", {}, ...headings.map((text) => element("th", { scope: "col" }, text))),
  );
  byId("functions").replaceChildren(...rows);
}

function nameCell({ name, file }) {
  return element("code", { title: file || null }, name);
}

function showTop(samples) {
  const all = totalNs(samples) || 1;
  const top = [...functionTimes(samples).values()].sort((a, b) => b.self - a.self);
  const rows = top.slice(0, FUNCTIONS_MAX).map((each) => row(
    nameCell(each),
    milliseconds(each.self),
    percent(each.self / all),
    percent(each.total / all),
  ));
  fillTable(["Function", "Itself", "Share", "With callees"], rows);
}

function showChanges([before, after]) {
  const rows = functionChanges(before, after)
    .filter((each) => Math.abs(each.change) >= CHANGE_MIN)
    .slice(0, FUNCTIONS_MAX)
    .map((each) => row(
      nameCell(each),
      percent(each.before),
      percent(each.after),
      [points(each.change), each.change > 0 ? "more" : "less"],
    ));
  fillTable(["Function itself", "Left", "Right", "Points"], rows);
}

function search() {
  const text = byId("search").value.trim();
  const shares = state.sides.map((_side, index) => flames[index].search(text));
  const words = shares.map((share) => percent(share)).join(" and ");
  byId("found").textContent = text ? `found in ${words}` : "";
}

byId("filters").addEventListener("change", (event) => {
  state.wanted[event.target.dataset.tag] = event.target.value;
  draw();
});
byId("split").addEventListener("change", (event) => {
  state.splitBy = event.target.value;
  state.zoom = [];
  draw();
});
byId("search").addEventListener("input", search);
byId("reset").addEventListener("click", () => flames[0].reset());
