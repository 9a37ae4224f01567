// What the viewer shows, as the address says it behind "#": the profile, the one to compare with,
// filters. It stands nowhere else, so that it can be sent to somebody, kept as a bookmark, and
// taken back with the browser's button.
//
//     #at=1763820000000&kind=wall&tag.route=/report&function=nap+(app.py)&since=1763816400000
//
// SPDX-License-Identifier: MIT

const TAG = "tag.";

// { at, since: milliseconds since 1970 or null; kind: "cpu", "wall" or null; tags: { key: value },
// "" for samples without the tag; functions: [label]; by: the tag of the first table or null;
// split: a tag or ""; earlier: of two profiles, the earlier one is drawn }
export function readChoice() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const time = (name) => (Number(fields.get(name)) > 0 ? Number(fields.get(name)) : null);
  const tags = [...fields].filter(([name]) => name.startsWith(TAG));
  return {
    at: time("at"),
    since: time("since"),
    kind: ["cpu", "wall"].includes(fields.get("kind")) ? fields.get("kind") : null,
    tags: Object.fromEntries(tags.map(([name, value]) => [name.slice(TAG.length), value])),
    functions: fields.getAll("function"),
    by: fields.get("by"),
    split: fields.get("split") ?? "",
    earlier: fields.has("earlier"),
  };
}

// Changes some of it; whoever draws hears of it by "hashchange".
export function choose(changes) {
  const choice = { ...readChoice(), ...changes };
  const fields = new URLSearchParams();
  const setIf = (name, value) => {
    if (value) fields.set(name, value);
  };
  setIf("at", choice.at);
  setIf("kind", choice.kind);
  for (const [key, value] of Object.entries(choice.tags)) fields.set(TAG + key, value);
  for (const label of choice.functions) fields.append("function", label);
  setIf("since", choice.since);
  setIf("earlier", choice.since && choice.earlier);
  setIf("by", choice.by);
  setIf("split", choice.split);
  location.hash = fields;
}

// The tags with this value added, or taken away where it was chosen.
export function withTag(tags, key, value) {
  const { [key]: before, ...others } = tags;
  return before === value ? others : { ...others, [key]: value };
}

export function withFunction(functions, label) {
  const others = functions.filter((each) => each !== label);
  return others.length < functions.length ? others : [...functions, label];
}
