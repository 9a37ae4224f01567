// The gateway's state as tables: processes, places for profiles, open windows, settings.
//
// SPDX-License-Identifier: MIT

import { DASH, ago, byId, count, element, percent, row, seconds } from "./dom.js";

const STACKS_S = 0.5; // Dumps of stacks are shorter.
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
  byId("windows").replaceChildren(...windowLines(status.windows ?? []));
  byId("cost").textContent = costLine(status.overhead ?? {});
  showSettings(status.settings);
}

// "Costs 0.30 % of the workers' CPU time, at most 1 %; 200 samples a second, at most 1000; a sample
// every 10 ms of CPU time."
function costLine(overhead) {
  const known = overhead.percent ?? null;
  const most = overhead.max_percent ?? null;
  const cost = known === null ? "Cost not measured yet" : `Costs ${known.toFixed(2)} % of the workers' CPU time`;
  const ceiling = most === null ? "no ceiling" : `at most ${most} %`;
  const rate = overhead.samples_per_second ?? null;
  const most_samples = overhead.max_samples ?? null;
  const samples = rate === null ? "" : `; ${count(Math.round(rate))} samples a second`;
  const budget = rate === null || most_samples === null ? "" : `, at most ${count(most_samples)}`;
  return `${cost}, ${ceiling}${samples}${budget}; a sample every ${overhead.period_ms ?? DASH} ms.`;
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
  const sum = `${count(files.written)} written, ${count(files.failed)} failed`;
  return card("Files", files.failing ? "bad" : "good", `Last ${ago(files.last_ms, nowMs)}`, sum);
}

function uploadsCard(uploads, nowMs) {
  if (!uploads) return card("Cloud Profiler", "off", "Nothing is uploaded.");
  const sum = `${count(uploads.uploaded)} uploaded, ${count(uploads.failed)} failed`;
  const lines = [`Last ${ago(uploads.last_ms, nowMs)}`, sum];
  if (uploads.trouble) lines.push(uploads.trouble);
  return card("Cloud Profiler", uploads.trouble ? "bad" : "good", ...lines);
}

// Not those of a dump of stacks, which the page itself asks for every few seconds.
function windowLines(all) {
  const windows = all.filter((each) => each.source !== "watch" || each.duration_s > STACKS_S);
  if (windows.length === 0) return [element("p", { class: "quiet" }, "Nobody samples now.")];
  return windows.map((each) => {
    const kinds = (each.kinds ?? []).join(" and ");
    const left = `${seconds(each.elapsed_s)} of ${seconds(each.duration_s)}`;
    return element("p", {}, `Sampling ${kinds}, ${each.source}: ${left}`);
  });
}

function showSettings(settings) {
  for (const [name, isOn] of [["on", settings?.on], ["upload", settings?.upload]]) {
    const button = byId(`setting-${name}`);
    button.hidden = isOn === undefined;
    button.setAttribute("aria-pressed", String(Boolean(isOn)));
  }
}
