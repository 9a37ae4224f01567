// All that is asked of the gateway: the one place that knows its URLs and its JSON (README.md).
//
// SPDX-License-Identifier: MIT

const TOKEN_KEY = "cloudprofiler-token";
const REQUEST_MS = 15000;

// Takes the token out of the address bar, so that it is in no history, bookmark or screenshot.
function takeToken() {
  const url = new URL(location.href);
  const token = url.searchParams.get("token");
  if (token !== null) {
    sessionStorage.setItem(TOKEN_KEY, token);
    url.searchParams.delete("token");
    history.replaceState(null, "", url);
  }
}
takeToken();

// What went wrong, in words for the operator.
export class Refusal extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function refusalOf(response) {
  if (response.status === 401) {
    const text = "The gateway does not know this page's token."
      + " Open the address that stands in uWSGI's log.";
    return new Refusal(response.status, text);
  }
  const sentence = (await response.text()).trim().slice(0, 300);
  return new Refusal(response.status, sentence || `The gateway answered ${response.status}.`);
}

async function ask(path, options = {}) {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  try {
    response = await fetch(path, {
      ...options,
      headers,
      cache: "no-store",
      signal: AbortSignal.timeout(REQUEST_MS),
    });
  } catch {
    throw new Refusal(0, "The gateway does not answer. Does uWSGI run?");
  }
  if (!response.ok) throw await refusalOf(response);
  return response;
}

export async function readStatus() {
  return (await ask("status")).json();
}

// What runs in each process now: Map of its name to its requests, [{ method, uri, startMs,
// seconds }]. Costs a window of a fifth of a second.
export async function readRequests() {
  const { workers } = await (await ask("debug/pprof/stacks?format=json")).json();
  return new Map((workers ?? []).map((worker) => [worker.name, requestsOf(worker)]));
}

function requestsOf(worker) {
  return worker.threads
    .flatMap((thread) => [thread, ...thread.alike])
    .map((thread) => thread.request)
    .filter(Boolean)
    .map(({ method, uri, start_ms: startMs, seconds }) => ({ method, uri, startMs, seconds }));
}

// All profiles that can be looked at, the newest first: [{ key, kind, source, startMs,
// durationS, bytes }]. A profile that is both kept in memory and a file appears once. With
// `beforeMs`, those that began before: the list is of a few hundred.
export async function listProfiles(beforeMs = null) {
  const query = beforeMs === null ? "" : `?before_ms=${Math.floor(beforeMs)}`;
  const list = await (await ask(`profiles/${query}`)).json();
  const recent = (list.recent ?? []).map((each) => describe(String(each.id), each));
  const known = new Set(recent.map(sameProfile));
  const files = (list.files ?? [])
    .map((each) => describe(each.name, { ...each, source: "file" }))
    .filter((each) => !known.has(sameProfile(each)));
  return [...recent, ...files].sort((a, b) => b.startMs - a.startMs || a.kind.localeCompare(b.kind));
}

function describe(key, each) {
  return {
    key,
    kind: each.kind,
    source: each.source,
    startMs: each.start_ms,
    durationS: each.duration_s,
    bytes: each.bytes,
  };
}

function sameProfile(profile) {
  return `${profile.kind} ${Math.round(profile.startMs)}`;
}

// The bytes of a pprof file.
export async function readProfile(key) {
  const response = await ask(`profiles/${encodeURIComponent(key)}`);
  return response.arrayBuffer();
}

// Asks for a profile and returns the gateway's sentence. kind: "cpu", "wall" or "both".
export async function takeProfile(kind, seconds) {
  const body = new URLSearchParams({ kind, seconds });
  return (await ask("actions/profile", { method: "POST", body })).text();
}

// Gives a command: "on" and "off" without a value, "upload" with "on" or "off".
export async function act(command, value = null) {
  const body = new URLSearchParams(value === null ? {} : { value });
  return (await ask(`actions/${command}`, { method: "POST", body })).text();
}
