// The tables beside the graph, each row of which is a filter, and the filters that are set.
//
// SPDX-License-Identifier: MIT

import { withFunction, withTag } from "./choice.js";
import { DASH, byId, element, milliseconds, percent } from "./dom.js";
import { filterSamples, functionTimes, tagKeys, tagTimes, totalNs } from "./profile.js";

const FUNCTIONS_MAX = 40;
const STATE = "state";
// What the first table is of: the first of these that the samples have, then any tag of the app's.
const FIRST = ["route", "path"];
const LAST = ["mount", "host", "method", "worker", "thread", "gil"];

// A row: `filter` is what tells it from others, `share` how long its bar is.
function filterRow({ filter, text, title, isOn, share, data }, ...cells) {
  const name = element("button", {
    type: "button",
    class: "row",
    "data-filter": filter,
    "aria-pressed": String(isOn),
    title: title ?? text,
  }, text);
  const row = element(
    "tr",
    { class: isOn ? "chosen" : null },
    element("th", { scope: "row" }, name),
    ...cells.map((cell) => element("td", {}, cell)),
  );
  Object.assign(row.dataset, data);
  row.style.setProperty("--share", `${(100 * Math.min(share, 1)).toFixed(1)}%`);
  return row;
}

const tagFilter = (key, value) => `tag.${key}=${value}`;
const functionFilter = (label) => `function=${label}`;
const timeOr = (ns) => (ns === null ? DASH : milliseconds(ns));

// The times of a tag's values in a profile, under all filters but the one of this tag. null: the
// profile cannot tell, since CPU time has no state.
function timesOf(profile, kind, key, choice) {
  const { [key]: _own, ...tags } = choice.tags;
  if (!profile || (kind === "cpu" && STATE in tags)) return null;
  return tagTimes(filterSamples(profile.samples, { ...choice, tags }), key);
}

const valueText = (key, value) => (value === "" ? `no ${key}` : value);

function tagOrder(keys) {
  const place = (key) => {
    const [first, last] = [FIRST.indexOf(key), LAST.indexOf(key)];
    return first >= 0 ? first : FIRST.length + (last >= 0 ? 1 + last : 0);
  };
  return keys.filter((key) => key !== STATE).sort((a, b) => place(a) - place(b));
}

function tagRow(key, value, times, kind, choice, all) {
  const ns = (each) => (times[each] ? times[each].get(value) ?? 0 : null);
  const share = (ns(kind) ?? 0) / all;
  return filterRow({
    filter: tagFilter(key, value),
    text: valueText(key, value),
    isOn: choice.tags[key] === value,
    share,
    data: { tag: key, value },
  }, timeOr(ns("cpu")), timeOr(ns("wall")), percent(share));
}

function showTags({ profiles, kind, choice }) {
  const keys = tagOrder(tagKeys(profiles[kind].samples));
  const key = keys.includes(choice.by) ? choice.by : keys[0];
  byId("tag-table").hidden = !key;
  if (!key) return;
  byId("by").replaceChildren(...keys.map((each) => {
    const made = element("option", { value: each }, each);
    made.selected = each === key;
    return made;
  }));
  const times = {
    cpu: timesOf(profiles.cpu, "cpu", key, choice),
    wall: timesOf(profiles.wall, "wall", key, choice),
  };
  const values = new Set([...times.cpu?.keys() ?? [], ...times.wall?.keys() ?? []]);
  const own = times[kind] ?? new Map();
  const all = [...own.values()].reduce((sum, ns) => sum + ns, 0) || 1;
  const sorted = [...values].sort((a, b) => (own.get(b) ?? 0) - (own.get(a) ?? 0));
  byId("tags").replaceChildren(
    ...sorted.map((value) => tagRow(key, value, times, kind, choice, all)),
  );
}

// States are known of wall time alone: they are shown for CPU time, too, and lead there.
function showStates({ profiles, choice }) {
  const times = timesOf(profiles.wall, "wall", STATE, choice) ?? new Map();
  const isKnown = [...times.keys()].some((value) => value !== "");
  byId("state-table").hidden = !isKnown;
  const all = [...times.values()].reduce((sum, ns) => sum + ns, 0) || 1;
  const sorted = [...times].sort((a, b) => b[1] - a[1]);
  byId("states").replaceChildren(...sorted.map(([value, ns]) => filterRow({
    filter: tagFilter(STATE, value),
    text: valueText(STATE, value),
    isOn: choice.tags[STATE] === value,
    share: ns / all,
    data: { tag: STATE, value },
  }, milliseconds(ns), percent(ns / all))));
}

function showFunctions(samples, choice) {
  const all = totalNs(samples) || 1;
  const top = [...functionTimes(samples).values()].sort((a, b) => b.self - a.self);
  byId("functions").replaceChildren(...top.slice(0, FUNCTIONS_MAX).map((each) => filterRow({
    filter: functionFilter(each.label),
    text: each.name,
    title: each.file ? `${each.name}, ${each.file}` : each.name,
    isOn: choice.functions.includes(each.label),
    share: each.self / all,
    data: { label: each.label },
  }, milliseconds(each.self), percent(each.self / all), percent(each.total / all))));
}

// profiles: { cpu, wall }, one of them or both; samples: those of `kind` that pass all filters.
export function showTables({ profiles, kind, choice, samples }) {
  showTags({ profiles, kind, choice });
  showStates({ profiles, choice });
  showFunctions(samples, choice);
}

// What the row, or the chip, of this element sets or takes back; null: it is none.
export function filterOf(target, choice) {
  const { tag, value, label } = target.closest("[data-tag], [data-label]")?.dataset ?? {};
  if (label !== undefined) return { functions: withFunction(choice.functions, label) };
  if (tag === undefined) return null;
  const tags = withTag(choice.tags, tag, value);
  return tag === STATE && STATE in tags ? { tags, kind: "wall" } : { tags };
}

function chip(key, text, filter, data) {
  const made = element("button", {
    type: "button",
    class: "chip",
    "data-filter": filter,
    "aria-label": `Remove the filter ${key} ${text}`,
  }, element("span", { class: "quiet" }, key), ` ${text}`);
  Object.assign(made.dataset, data);
  return element("li", {}, made);
}

export function showChips({ tags, functions }) {
  const made = [
    ...Object.entries(tags).map(([key, value]) =>
      chip(key, valueText(key, value), tagFilter(key, value), { tag: key, value })),
    ...functions.map((label) => chip("function", label, functionFilter(label), { label })),
  ];
  byId("chips").replaceChildren(...made);
  byId("chips").hidden = made.length === 0;
  byId("clear").hidden = made.length === 0;
}

// A table of changes, of `kind` "more" or "less".
export function changeRow(each, cells, choice) {
  return filterRow({
    filter: functionFilter(each.label),
    text: each.name,
    title: each.file ? `${each.name}, ${each.file}` : each.name,
    isOn: choice.functions.includes(each.label),
    share: 0,
    data: { label: each.label },
  }, ...cells);
}
