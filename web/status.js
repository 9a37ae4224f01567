// The gateway's state: processes and places for profiles as tables, windows and cost as sentences,
// settings.
//
// SPDX-License-Identifier: MIT

import { DASH, ago, byId, clock, count, element, percent, row, seconds } from "./dom.js";

const STACKS_S = 0.5; // Dumps of stacks are shorter.
const SAMPLING = { demand: "Sampling on demand", watch: "Sampling a slow request" };
const LINE_MAX = 44; // Characters of method and URI; how long it runs stands behind them.

// requests: what api.js knows of the requests that run, or an empty Map.
export function showStatus(status, requests) {
  const gateway = status.gateway ?? {};
  byId("about").textContent = [
    status.service,
    `version ${status.version ?? DASH}`,
    `gateway pid ${gateway.pid ?? DASH}`,
    `up ${seconds(gateway.uptime_s)}`,
  ].filter(Boolean).join(" \u00b7 ");
  byId("slots").replaceChildren(...(status.slots ?? []).map((slot) => slotRow(slot, requests)));
  byId("sinks").replaceChildren(...sinkCards(status));
  byId("windows").textContent = `${samplingLine(status)} ${nextLine(status)}`.trim();
  byId("none-next").textContent = nextLine(status);
  byId("cost").textContent = costLine(status.overhead ?? {});
  byId("rate").textContent = rateLine(status.overhead ?? {}, status.settings?.period_ms);
  showSettings(status.settings);
}

// Not those of a dump of stacks, which the page itself asks for every few seconds.
function wholeWindows(status) {
  const windows = status.windows ?? [];
  return windows.filter((each) => each.source !== "watch" || each.duration_s > STACKS_S);
}

// "Sampling now: 2.5 s of 10 s."
function samplingLine(status) {
  const [first] = wholeWindows(status);
  if (!first) return "";
  const what = SAMPLING[first.source] ?? "Sampling now";
  return `${what}: ${seconds(first.elapsed_s)} of ${seconds(first.duration_s)}.`;
}

// When there will be a profile without anybody's doing.
function nextLine(status) {
  if (!status.settings?.on) return "Profiling is off. No profile is taken until you switch it on.";
  const open = wholeWindows(status).find((each) => ["schedule", "cloud"].includes(each.source));
  const endMs = open ? open.start_ms + open.duration_s * 1000 : status.next_profile_ms;
  if (endMs) return `The next profile is ready at ${clock(endMs)}.`;
  if (status.uploads) return "Cloud Profiler decides when the next profile is taken.";
  return "Profiles are taken only when you ask for one.";
}

// What profiling costs, and whether that is too much.
function costLine(overhead) {
  const { percent: cost, max_percent: most } = overhead;
  const limit = most ? `The limit is ${most} %.` : "There is no limit.";
  if (cost === null || cost === undefined) {
    return `What profiling costs is known after the first profile of a busy worker. ${limit}`;
  }
  const sentence = `While it samples, the profiler takes ${cost.toFixed(2)} % of the CPU time of the`
    + " worker that pays most.";
  if (!most || cost <= most) return `${sentence} ${limit}`;
  return `${sentence} That is more than the limit of ${most} %: it does less in the next windows.`;
}

// How often samples are taken, and why that is less often than it is set to.
function rateLine(overhead, setMs) {
  const { period_ms: periodMs, samples_per_second: rate, max_samples: most } = overhead;
  const each = `A busy thread has a sample every ${periodMs ?? DASH} ms`;
  const why = setMs && periodMs > setMs
    ? `, not every ${setMs} ms, so that profiling stays within its limits` : "";
  if (rate === null || rate === undefined) return `${each}${why}.`;
  const limit = most ? ` and may be ${count(most)}` : "";
  return `${each}${why}. All workers together had ${count(Math.round(rate))} a second${limit}.`;
}

function slotRow(slot, requests) {
  const missed = Object.values(slot.missed ?? {}).reduce((all, number) => all + number, 0);
  const samples = (slot.samples ?? 0) + (slot.looks ?? 0);
  const isLogKnown = slot.log_bytes && slot.log_used_bytes !== null;
  const fill = isLogKnown ? slot.log_used_bytes / slot.log_bytes : null;
  return row(
    slot.name ?? DASH,
    [slot.pid ? String(slot.pid) : DASH, "minor"],
    [stateOf(slot, requests), "state"],
    cpuBar(slot.cpu_share),
    [count(slot.threads), "minor"],
    [element("span", { title: listed(slot.counters) }, count(samples)), "minor"],
    [element("span", { title: listed(slot.missed) }, count(missed)), "minor"],
    [percent(fill), "minor"],
  );
}

// "tags_lost: 3, tag_overflows: 1": of counts above 0; null: there is none.
function listed(counts) {
  const above = Object.entries(counts ?? {}).filter(([, number]) => number > 0);
  return above.map(([name, number]) => `${name}: ${number}`).join(", ") || null;
}

function stateOf(slot, requests) {
  if (!slot.pid) return "not running";
  if (slot.state !== "running") return slot.state ?? DASH;
  const request = requestOf(slot, requests);
  if (!request) return `running for ${seconds(slot.running_seconds)}`;
  const line = `${request.method} ${request.uri}`;
  return element(
    "span",
    { title: line },
    `${shortened(line)} for ${seconds(request.seconds)}`,
  );
}

// Its oldest request. Short ones are over before their name is known: then the oldest of those that
// ran a moment ago stands for the worker.
function requestOf(slot, requests) {
  const known = [...(requests.get(slot.name) ?? [])].sort((a, b) => a.startMs - b.startMs);
  const same = known.find((each) => each.startMs === slot.running_since_ms);
  return same ? { ...same, seconds: Math.max(same.seconds, slot.running_seconds) } : known[0];
}

function shortened(line) {
  return line.length > LINE_MAX ? `${line.slice(0, LINE_MAX - 1)}\u2026` : line;
}

function cpuBar(share) {
  if (share === null || share === undefined) return element("span", {}, DASH);
  const bar = element("meter", { min: 0, max: 1, value: Math.min(share, 1) });
  bar.setAttribute("aria-hidden", "true");
  return element("span", { class: "cpu" }, bar, percent(share, 0));
}

// health: "good", "bad" or "off"; the word says it too, not the colour alone.
function card(title, health, ...lines) {
  const word = { good: "works", bad: "fails", off: "off" }[health];
  return element(
    "div",
    { class: `card ${health}` },
    element("h3", {}, title, element("span", { class: "badge" }, word)),
    ...lines.map((line) => element("p", {}, line)),
  );
}

function sinkCards(status) {
  return [filesCard(status.files, status.now_ms), uploadsCard(status.uploads, status.now_ms)];
}

function filesCard(files, nowMs) {
  if (!files) return card("Files", "off", "No output directory is configured.");
  const lines = [
    `In ${files.directory ?? DASH}`,
    `Last ${ago(files.last_ms, nowMs)}`,
    `${count(files.written)} written, ${count(files.failed)} failed`,
  ];
  return card("Files", files.failing ? "bad" : "good", ...lines);
}

function uploadsCard(uploads, nowMs) {
  if (!uploads) return card("Cloud Profiler", "off", "Nothing is uploaded.");
  const sum = `${count(uploads.uploaded)} uploaded, ${count(uploads.failed)} failed`;
  const lines = [`Last ${ago(uploads.last_ms, nowMs)}`, sum];
  if (uploads.trouble) lines.push(uploads.trouble);
  return card("Cloud Profiler", uploads.trouble ? "bad" : "good", ...lines);
}

function showSettings(settings) {
  for (const [name, isOn] of [["on", settings?.on], ["upload", settings?.upload]]) {
    const button = byId(`setting-${name}`);
    button.hidden = isOn === undefined;
    button.setAttribute("aria-pressed", String(Boolean(isOn)));
  }
}
