// Small helpers that make elements and words. Texts become text nodes: nothing that came from an
// app is ever read as HTML.
//
// SPDX-License-Identifier: MIT

export const byId = (id) => document.getElementById(id);

// An element with attributes and children (elements or texts). null leaves an attribute out.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// A row of a table. A cell is a text or an element, or one of them and a class: [text, class].
export function row(...cells) {
  return element("tr", {}, ...cells.map(cellOf));
}

function cellOf(cell) {
  const [content, kind] = Array.isArray(cell) ? cell : [cell, null];
  return element("td", { class: kind }, content);
}

export const DASH = "\u2013";

export function percent(share, digits = 1) {
  return share === null || share === undefined ? DASH : `${(100 * share).toFixed(digits)} %`;
}

// "12.3 ms/s": so much time in each second. A worker with four busy threads has "4.00 s/s".
export function rate(nsPerS) {
  const size = Math.abs(nsPerS);
  if (size === 0) return "0";
  return size >= 1e9 ? `${(size / 1e9).toFixed(2)} s/s` : `${(size / 1e6).toFixed(1)} ms/s`;
}

// The same with its sign, for differences.
export function rateChange(nsPerS) {
  return `${nsPerS < 0 ? "\u2212" : "+"}${rate(nsPerS)}`;
}

export function count(number) {
  return number === null || number === undefined ? DASH : number.toLocaleString("en");
}

export function seconds(value) {
  if (value === null || value === undefined) return DASH;
  return value < 10 ? `${value.toFixed(1)} s` : `${Math.round(value)} s`;
}

export function milliseconds(ns) {
  return ns >= 1e9 ? `${(ns / 1e9).toFixed(2)} s` : `${(ns / 1e6).toFixed(0)} ms`;
}

export function clock(unixMs) {
  return unixMs ? new Date(unixMs).toLocaleTimeString("en-GB") : DASH;
}

// With the day, if it is not today.
export function moment(unixMs) {
  const date = new Date(unixMs);
  if (date.toDateString() === new Date().toDateString()) return clock(unixMs);
  return `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, ${clock(unixMs)}`;
}

export function bytes(number) {
  return number < 1e5 ? `${(number / 1e3).toFixed(1)} kB` : `${(number / 1e6).toFixed(1)} MB`;
}

// "3 s ago", by the gateway's clock.
export function ago(unixMs, nowMs) {
  if (!unixMs) return "never";
  const age = Math.max(0, (nowMs - unixMs) / 1000);
  if (age < 90) return `${Math.round(age)} s ago`;
  return age < 5400 ? `${Math.round(age / 60)} min ago` : `${Math.round(age / 3600)} h ago`;
}
