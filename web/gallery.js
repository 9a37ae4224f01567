// Which profiles are shown: those that the address names (choice.js), of the ones that there are.
// Fills the two choices of profiles and hands the profiles to the viewer.
//
// An entry is one profile: { key, kind, source, startMs, durationS, name }. A window is what was sampled
// at one time: { startMs, durationS, source, entries: { cpu, wall } }, one of the two or both.
//
// SPDX-License-Identifier: MIT

import { choose, readChoice } from "./choice.js";
import { byId, element, moment, seconds } from "./dom.js";
import { decodeProfile } from "./profile.js";
import { kindOf, showView } from "./viewer.js";

const DECODED_MAX = 12;
const HOUR_MS = 3600e3;
const DAY_MS = 24 * HOUR_MS;
const SOURCES = {
  schedule: "by schedule",
  cloud: "for Cloud Profiler",
  demand: "on demand",
  watch: "of a slow request",
};

// The windows of these entries, the newest first. Of two profiles of one kind that began in the same
// millisecond the second one counts as of the next, so that each has a time of its own.
function windowsOf(entries) {
  const windows = new Map();
  for (const entry of entries) {
    let startMs = Math.max(1, Math.round(entry.startMs));
    while (windows.get(startMs)?.entries[entry.kind]) startMs += 1;
    const { durationS, source } = entry;
    if (!windows.has(startMs)) windows.set(startMs, { startMs, durationS, source, entries: {} });
    windows.get(startMs).entries[entry.kind] = entry;
  }
  return [...windows.values()].sort((a, b) => b.startMs - a.startMs);
}

// What the page opens with. A slow request's profile is of one request only.
function newestOf(windows) {
  return windows.find((each) => each.source !== "watch") ?? windows[0] ?? null;
}

// Of files that somebody gave, their names.
function nameOf(window) {
  const names = Object.values(window.entries).map((entry) => entry.name).filter(Boolean);
  if (names.length) return names.join(" and ");
  const words = [moment(window.startMs)];
  if (window.durationS) words.push(seconds(window.durationS));
  if (SOURCES[window.source]) words.push(SOURCES[window.source]);
  return words.join(", ");
}

// read(entry) gives the bytes of a pprof file, listBefore(ms) entries that began before, first(windows)
// what is shown where the address names nothing. told(text) receives what the operator should know
// about the profiles that are shown, "" for nothing.
export function createGallery({ read, listBefore, told, first = newestOf }) {
  const decoded = new Map(); // of key and time: numbers begin anew with each gateway
  let windows = [];
  let startedMs = null;
  let shown = null; // a window
  let since = null;
  let marks = []; // [{ text, window }]
  let marksOf = ""; // what they were found for
  let turns = 0;

  async function decode(entry) {
    const key = `${entry.kind} ${entry.startMs} ${entry.key}`;
    if (!decoded.has(key)) {
      const bytes = await read(entry);
      try {
        decoded.set(key, await decodeProfile(bytes));
      } catch {
        throw new Error(`${entry.key} is no profile that a browser can read.`);
      }
      if (decoded.size > DECODED_MAX) decoded.delete(decoded.keys().next().value);
    }
    return decoded.get(key);
  }

  async function decodeWindow(window) {
    if (!window) return null;
    const pairs = Object.entries(window.entries).map(async ([kind, entry]) => [
      kind, await decode(entry),
    ]);
    return { startMs: window.startMs, profiles: Object.fromEntries(await Promise.all(pairs)) };
  }

  async function windowAt(ms) {
    const isIt = (each) => each.startMs === Math.round(ms);
    return windows.find(isIt) ?? windowsOf(await listBefore(ms + 1)).find(isIt) ?? null;
  }

  // The last one that began before, of a kind.
  async function windowBefore(ms, kind) {
    const isIt = (each) => each.startMs < ms && each.source !== "watch" && each.entries[kind];
    return windows.find(isIt) ?? windowsOf(await listBefore(ms)).find(isIt) ?? null;
  }

  // What an operator compares with. The gateway is asked once for each profile that is shown.
  async function findMarks() {
    const kind = kindOf(shown.entries, readChoice().kind);
    const key = `${shown.startMs} ${kind}`;
    if (key === marksOf) return marks;
    marksOf = key;
    const limits = [
      ["the one before", shown.startMs],
      ["an hour before", shown.startMs - HOUR_MS + 1],
      ["a day before", shown.startMs - DAY_MS + 1],
    ];
    if (startedMs && startedMs <= shown.startMs) limits.push(["before the reload", startedMs]);
    return Promise.all(
      limits.map(async ([text, ms]) => ({ text, window: await windowBefore(ms, kind) })),
    );
  }

  // A choice of this window; without one it cannot be chosen.
  function option(window, text, chosen) {
    const made = element("option", { value: window?.startMs ?? "" }, text);
    made.selected = Boolean(window) && window.startMs === chosen?.startMs;
    made.disabled = !window;
    return made;
  }

  // Only where something is new: a list that somebody has opened would close.
  function fill(id, options) {
    const [select, fresh] = [byId(id), element("select", {}, ...options)];
    const { value } = fresh;
    const isSame = select.childNodes.length === options.length
      && options.every((each, place) => each.isEqualNode(select.childNodes[place]));
    if (!isSame) select.replaceChildren(...options);
    select.value = value;
  }

  function fillShown() {
    const all = [...windows];
    if (!all.some((each) => each.startMs === shown.startMs)) all.push(shown);
    fill("shown", all.map((each) => option(each, nameOf(each), shown)));
    const newest = first(windows);
    const isOld = newest !== null && newest.startMs > shown.startMs;
    byId("newest").hidden = !isOld;
    byId("newest").textContent = isOld ? `Show the newest, ${moment(newest.startMs)}` : "";
  }

  function fillSince() {
    const kind = kindOf(shown.entries, readChoice().kind);
    const nothing = element("option", { value: "" }, "nothing");
    const named = marks.map(({ text, window }) =>
      option(window, window ? `${text}: ${moment(window.startMs)}` : `${text}: no profile`, since));
    const older = windows.filter((each) => each.startMs < shown.startMs && each.entries[kind]);
    const offered = [...older, ...marks.map((each) => each.window)];
    if (since && !offered.some((each) => each?.startMs === since.startMs)) older.push(since);
    const isNamed = named.some((each) => each.selected);
    const others = older.map((each) => option(each, nameOf(each), isNamed ? null : since));
    const group = element("optgroup", { label: "Any earlier one" }, ...others);
    fill("since", [nothing, ...named, ...(others.length ? [group] : [])]);
  }

  function fillPickers() {
    if (!shown) return;
    fillShown();
    fillSince();
  }

  // Where one of them is unreadable, others can still be chosen.
  async function decodeShown(turn, ...sides) {
    try {
      return await Promise.all(sides.map(decodeWindow));
    } catch (error) {
      if (turn === turns) showNothing();
      throw error;
    }
  }

  function showNothing() {
    byId("viewer").hidden = false;
    byId("answer").hidden = true;
    byId("changes").hidden = true;
    fillPickers();
  }

  // Shows what the address says, or the first profile where it says nothing.
  async function show() {
    turns += 1;
    const turn = turns;
    const choice = readChoice();
    const wanted = choice.at ? await windowAt(choice.at) : null;
    const window = wanted ?? first(windows);
    const earlier = choice.since ? await windowAt(choice.since) : null;
    if (turn !== turns) return; // Something else was chosen meanwhile.
    const gone = [choice.at && !wanted && choice.at, choice.since && !earlier && choice.since];
    told(gone.filter(Boolean).map((ms) => `The profile of ${moment(ms)} is not kept any more.`)
      .join(" "));
    shown = window;
    since = earlier;
    if (!shown) return;
    const sides = await decodeShown(turn, shown, since);
    if (turn !== turns) return;
    showView(...sides);
    fillPickers();
    marks = await findMarks();
    if (turn === turns) fillPickers();
  }

  byId("shown").addEventListener("change", (event) => choose({ at: Number(event.target.value) }));
  byId("since").addEventListener("change", (event) => {
    choose({ at: shown.startMs, since: Number(event.target.value) || null });
  });
  byId("newest").addEventListener("click", () => choose({ at: first(windows).startMs }));

  return {
    show,

    // The window that is shown, or null.
    shown: () => shown,

    // What there is now; startMs is when the server started or was reloaded, or null.
    offer(entries, serverStartedMs = null) {
      windows = windowsOf(entries);
      startedMs = serverStartedMs;
      fillPickers();
    },
  };
}
