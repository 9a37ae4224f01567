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
  kind: block.dataset.kind,
  bytes: bytesOf(block.textContent),
}));

function choice(index) {
  return element("option", { value: index }, files[index].name);
}

// Only profiles of one kind can be compared. What was chosen before stays if it is there.
function offerOthers(shown) {
  const before = byId("compared").value;
  const others = [...files.keys()].filter(
    (each) => each !== shown && files[each].kind === files[shown].kind,
  );
  byId("compared").replaceChildren(
    element("option", { value: NONE }, "nothing"),
    ...others.map(choice),
  );
  byId("compared").value = others.includes(Number(before)) ? before : NONE;
}

async function show() {
  const shown = Number(byId("shown").value);
  offerOthers(shown);
  const chosen = [shown, Number(byId("compared").value)].filter((each) => each >= 0);
  let text = "";
  try {
    await showProfiles(chosen.map((each) => files[each]));
  } catch {
    const names = chosen.map((each) => files[each].name).join(" or ");
    text = `${names} is no profile that a browser can read.`;
    byId("viewer").hidden = true;
  }
  byId("trouble").textContent = text;
  byId("trouble").hidden = !text;
}

byId("shown").replaceChildren(...[...files.keys()].map(choice));
for (const id of ["shown", "compared"]) byId(id).addEventListener("change", show);
document.querySelector(".kinds").remove(); // a file has one kind
focusSearchBySlash();
show();
