// The page of `cloudprofiler-gateway --html`: the viewer, with the profiles that stand in the page.
//
// SPDX-License-Identifier: MIT

import { byId, element } from "./dom.js";
import { focusSearchBySlash, showProfiles } from "./viewer.js";

const NONE = "-1";

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

const files = [...document.querySelectorAll("script[data-name]")].map((block) => ({
  name: new TextDecoder().decode(bytesOf(block.dataset.name)),
  bytes: bytesOf(block.textContent),
}));

function choices(names, first) {
  return [...first, ...names.map((name, index) => element("option", { value: index }, name))];
}

async function show() {
  const chosen = [byId("shown").value, byId("compared").value]
    .filter((each, place, all) => each !== NONE && all.indexOf(each) === place)
    .map((each) => files[Number(each)]);
  let text = "";
  try {
    await showProfiles(chosen);
  } catch (error) {
    text = error.message;
  }
  byId("trouble").textContent = text;
  byId("trouble").hidden = !text;
}

const names = files.map((file) => file.name);
byId("shown").replaceChildren(...choices(names, []));
byId("compared").replaceChildren(
  ...choices(names, [element("option", { value: NONE }, "nothing")]),
);
for (const id of ["shown", "compared"]) byId(id).addEventListener("change", show);
document.querySelector(".kinds").remove(); // a file has one kind
focusSearchBySlash();
show();
