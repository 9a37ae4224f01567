// What happens when: the page's timers, its forms, and the list of profiles.
//
// SPDX-License-Identifier: MIT

import { act, listProfiles, readProfile, readRequests, readStatus, takeProfile } from "./api.js";
import { choose } from "./choice.js";
import { byId, bytes, clock, element, row, seconds } from "./dom.js";
import { createGallery } from "./gallery.js";
import { showStatus } from "./status.js";
import { focusSearchBySlash } from "./viewer.js";

const LOOK_MS = 2000;
const LOOK_WHILE_SAMPLING_MS = 300;
// Names of requests cost a short window; workers that wait need none.
const REQUESTS_MS = 4000;
// The gateway waits for the workers' logs to be closed; a busy machine takes its time.
const GRACE_MS = 30000;

let profiles = []; // entries of api.js, the newest first
let drawn = ""; // what the list of profiles was drawn from
let status = null; // of readStatus(), the last one
let requests = new Map(); // of readRequests()
let requestsDueMs = 0; // by performance.now()
let order = null; // the profile that is being taken: { kind, seconds, known, deadlineMs }

const gallery = createGallery({
  read: (entry) => readProfile(entry.key),
  listBefore: listProfiles,
  told: (text) => tell("gone", text),
});

function tell(place, text) {
  byId(place).textContent = text;
  byId(place).hidden = !text;
}

// Runs what may be refused and tells why in `place`, until the next attempt that is told there:
// "trouble" for the looks at the gateway, "refused" for what the operator wants.
async function attempt(action, place = "refused") {
  let text = "";
  try {
    await action();
  } catch (error) {
    text = error.message;
  }
  tell(place, text);
}

// Looks at the gateway, and again later. A page that nobody sees asks for nothing.
async function look() {
  if (!document.hidden) {
    await attempt(async () => {
      status = await readStatus();
      askForRequests();
      showStatus(status, requests);
      showProgress(status);
      await refreshProfiles();
    }, "trouble");
    if (order) await attempt(finishOrder);
  }
  setTimeout(look, order ? LOOK_WHILE_SAMPLING_MS : LOOK_MS);
}

// Not waited for: shown when it is there. Without an answer the page says less.
async function askForRequests() {
  const isRunning = (status.slots ?? []).some((slot) => slot.state === "running");
  if (!isRunning) requests = new Map();
  if (!isRunning || !status.settings?.on || performance.now() < requestsDueMs) return;
  requestsDueMs = Infinity;
  try {
    requests = await readRequests();
  } catch {
    requests = new Map();
  }
  showStatus(status, requests);
  requestsDueMs = performance.now() + REQUESTS_MS;
}

async function refreshProfiles() {
  profiles = await listProfiles();
  gallery.offer(profiles, status.started_ms ?? null);
  byId("none").hidden = profiles.length > 0;
  if (!gallery.shown() && profiles.length > 0) await gallery.show();
  drawProfiles();
}

const keyOf = (entry) => entry.key;
const find = (key) => profiles.find((entry) => entry.key === key);
const isShown = (entry) => gallery.shown()?.startMs === Math.round(entry.startMs);

function drawProfiles() {
  const fresh = profiles.map((entry) => [entry.key, isShown(entry)]).join();
  if (fresh === drawn) return;
  drawn = fresh;
  // The buttons are made anew: the keys stay on the one that had them.
  const held = document.activeElement?.dataset ?? {};
  byId("profiles").replaceChildren(...profiles.map(profileRow));
  byId("no-profiles").hidden = profiles.length > 0;
  if (held.key) {
    byId("profiles").querySelector(`[data-key="${held.key}"][data-verb="${held.verb}"]`)?.focus();
  }
}

function button(verb, text, entry) {
  return element("button", {
    type: "button",
    "data-verb": verb,
    "data-key": entry.key,
    "aria-label": `${text} ${entry.kind} of ${clock(entry.startMs)}`,
  }, text);
}

function profileRow(entry) {
  const actions = element(
    "span", { class: "actions" }, button("view", "View", entry), button("save", "Save", entry),
  );
  const made = row(
    clock(entry.startMs),
    entry.kind === "cpu" ? "CPU" : entry.kind,
    [entry.source, "minor"],
    [seconds(entry.durationS), "minor"],
    [bytes(entry.bytes), "minor"],
    actions,
  );
  made.classList.toggle("chosen", isShown(entry));
  return made;
}

function view({ kind, startMs }) {
  choose({ at: Math.round(startMs), kind });
  byId("viewer").scrollIntoView({ block: "nearest" });
}

async function save({ key, kind }) {
  const url = URL.createObjectURL(new Blob([await readProfile(key)]));
  const name = key.endsWith(".pb.gz") ? key : `${kind}-${key}.pb.gz`;
  element("a", { href: url, download: name }).click();
  URL.revokeObjectURL(url);
}

// A new profile

function showProgress(status) {
  if (!order) return;
  const window = (status.windows ?? []).find((each) => isOurs(each));
  const bar = byId("progress");
  const elapsed = window ? Math.min(window.elapsed_s, order.seconds) : null;
  if (elapsed !== null) {
    bar.value = elapsed / order.seconds;
    order.begun = true;
    byId("progress-text").textContent = `${seconds(elapsed)} of ${seconds(order.seconds)}`;
  } else if (order.begun) {
    bar.value = 1;
    byId("progress-text").textContent = "putting the samples together";
  }
}

function isOurs(window) {
  return window.source === "demand" && Math.abs(window.duration_s - order.seconds) < 0.5;
}

async function finishOrder() {
  const wanted = order.kind === "both" ? "wall" : order.kind;
  const made = profiles.find((each) => !order.known.has(each.key) && each.source === "demand"
    && each.kind === wanted);
  if (made) {
    endOrder();
    view(made);
  } else if (Date.now() > order.deadlineMs) {
    endOrder();
    throw new Error("The profile did not come. uWSGI's log may say why.");
  }
}

function endOrder() {
  order = null;
  byId("take").disabled = false;
  byId("sampling").hidden = true;
}

async function take(kind, length) {
  const known = new Set(profiles.map(keyOf));
  byId("take").disabled = true; // A double click is one order.
  try {
    await takeProfile(kind, length);
  } catch (error) {
    byId("take").disabled = false;
    throw error;
  }
  const deadlineMs = Date.now() + length * 1000 + GRACE_MS;
  order = { kind, seconds: length, known, deadlineMs, begun: false };
  byId("progress").value = 0;
  byId("progress-text").textContent = "waiting for the workers";
  byId("sampling").hidden = false;
}

// Events

byId("order").addEventListener("submit", (event) => {
  event.preventDefault();
  if (order) return; // of the other button
  const form = new FormData(event.target);
  attempt(() => take(form.get("kind"), Number(form.get("seconds"))));
});

const verbs = { view, save };
byId("profiles").addEventListener("click", (event) => {
  const { verb, key } = event.target.dataset;
  if (verb) attempt(() => verbs[verb](find(key)));
});

byId("setting-on").addEventListener("click", (event) => {
  const isOn = event.currentTarget.getAttribute("aria-pressed") === "true";
  attempt(() => act(isOn ? "off" : "on"));
});
byId("setting-upload").addEventListener("click", (event) => {
  const isOn = event.currentTarget.getAttribute("aria-pressed") === "true";
  attempt(() => act("upload", isOn ? "off" : "on"));
});

window.addEventListener("hashchange", () => attempt(async () => {
  await gallery.show();
  drawProfiles();
}));

focusSearchBySlash();
look();
