// The page of `cloudprofiler-gateway --html`: the viewer, with the profiles that stand in the page.
//
// SPDX-License-Identifier: MIT

import { byId } from "./dom.js";
import { createGallery } from "./gallery.js";
import { focusSearchBySlash } from "./viewer.js";

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

const blocks = [...document.querySelectorAll("script[data-name]")];
const entries = blocks.map((block) => {
  const name = new TextDecoder().decode(bytesOf(block.dataset.name));
  return { key: name, name, kind: block.dataset.kind, startMs: Number(block.dataset.start), block };
});

function tell(text) {
  byId("trouble").textContent = text;
  byId("trouble").hidden = !text;
}

const gallery = createGallery({
  read: async ({ block }) => bytesOf(block.textContent),
  listBefore: async () => [],
  told: tell,
  first: (windows) =>
    windows.find((window) => Object.values(window.entries).includes(entries[0])) ?? null,
});

async function show() {
  try {
    await gallery.show();
  } catch (error) {
    tell(error.message);
  }
}

window.addEventListener("hashchange", show);
gallery.offer(entries);
focusSearchBySlash();
show();
