// The gateway's state as tables: processes, places for profiles, open windows, settings.
//
// SPDX-License-Identifier: MIT

import { DASH, ago, byId, count, element, percent, row, seconds } from "./dom.js";

export function showStatus(status) {
  const gateway = status.gateway ?? {};
  byId("about").textContent = [
    status.service,
    `version ${status.version ?? DASH}`,
    `gateway pid ${gateway.pid ?? DASH}`,
    `up ${seconds(gateway.uptime_s)}`,
  ].filter(Boolean).join(" \u00b7 ");
  byId("slots").replaceChildren(...(status.slots ?? []).map(slotRow));
  byId("sinks").replaceChildren(...sinkCards(status));
  byId("windows").replaceChildren(...windowLines(status.windows ?? []));
  showSettings(status.settings);
}

function slotRow(slot) {
  const missed = Object.entries(slot.missed ?? {}).filter(([, number]) => number > 0);
  const sum = missed.reduce((all, [, number]) => all + number, 0);
  const reasons = missed.map(([reason, number]) => `${reason}: ${number}`).join(", ");
  const fill = slot.log_bytes ? slot.log_used_bytes / slot.log_bytes : null;
  return row(
    slot.name ?? DASH,
    [slot.pid ? String(slot.pid) : DASH, "minor"],
    [stateOf(slot), "state"],
    cpuBar(slot.cpu_share),
    [count(slot.threads), "minor"],
    [count((slot.samples ?? 0) + (slot.looks ?? 0)), "minor"],
    [element("span", { title: reasons || null }, count(sum)), "minor"],
    [percent(fill), "minor"],
  );
}

function stateOf(slot) {
  if (!slot.pid) return "not running";
  if (slot.request === undefined) return DASH;
  if (slot.request === null) return "idle";
  const { method, uri, seconds: age } = slot.request;
  return `${method ?? ""} ${uri ?? ""} for ${seconds(age)}`;
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

function windowLines(windows) {
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
