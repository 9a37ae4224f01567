// A pprof file as samples, and what can be made of them. Nothing here touches the page.
//
// A sample: { stack: [frame], tags: { key: value }, ns }; stacks begin at the root. A frame:
// { name, file, line, label }; equal frames are the same object. The label is what a function is
// known by: its name and the last part of its file's, so that it stays the same where releases lie
// in directories of their own. A tree's node: { name, file, value, self, children }, values in
// nanoseconds.
//
// SPDX-License-Identifier: MIT

import { Profile } from "./vendor.js";

const NONE = "[none]";

async function unzip(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Reads a gzip-compressed pprof file; raises an Error on what is none.
export async function decodeProfile(bytes) {
  const message = Profile.decode(await unzip(bytes));
  const texts = message.stringTable.strings;
  const framesOf = frameReader(message, texts);
  const valueIndex = message.sampleType.length - 1; // Counts come first, time last.
  return {
    kind: texts[Number(message.sampleType[valueIndex].type)],
    startMs: Number(message.timeNanos) / 1e6,
    durationS: Number(message.durationNanos) / 1e9,
    comments: message.comment.map((each) => texts[Number(each)]),
    samples: message.sample.map((sample) => ({
      stack: sample.locationId.flatMap(framesOf).reverse(),
      tags: tagsOf(sample, texts),
      ns: Number(sample.value[valueIndex]),
    })),
  };
}

function tagsOf(sample, texts) {
  return Object.fromEntries(
    sample.label.map((each) => [texts[Number(each.key)], texts[Number(each.str)]]),
  );
}

// A function from a location's number to its frames, the innermost first as in the file. Lines of
// one function are one frame: a flame graph with each line apart hides the function.
function frameReader(message, texts) {
  const functions = new Map();
  for (const each of message.function) {
    const name = texts[Number(each.name)];
    const file = texts[Number(each.filename)];
    const label = file ? `${name} (${file.split("/").pop()})` : name;
    functions.set(Number(each.id), { name, file, line: Number(each.startLine), label });
  }
  const locations = new Map();
  for (const each of message.location) {
    const frames = each.line.map((line) => functions.get(Number(line.functionId)));
    locations.set(Number(each.id), frames.filter(Boolean));
  }
  return (id) => locations.get(Number(id)) ?? [];
}

// The keys of all tags that the samples have.
export function tagKeys(samples) {
  return [...new Set(samples.flatMap((sample) => Object.keys(sample.tags)))];
}

// The time of each value of a tag: Map of value to ns. What has no such tag stands under "".
export function tagTimes(samples, key) {
  const times = new Map();
  for (const { tags, ns } of samples) {
    const value = tags[key] ?? "";
    times.set(value, (times.get(value) ?? 0) + ns);
  }
  return times;
}

// The samples that have all these tags and pass through all these functions; tags: { key: value },
// "" for none, functions: [label].
export function filterSamples(samples, { tags, functions }) {
  const terms = Object.entries(tags);
  return samples.filter((sample) =>
    terms.every(([key, value]) => (sample.tags[key] ?? "") === value)
    && functions.every((label) => sample.stack.some((frame) => frame.label === label)));
}

function newNode(name, file) {
  return { name, file, value: 0, self: 0, children: [], byLabel: new Map() };
}

function childOf(node, { name, file, label }) {
  let child = node.byLabel.get(label);
  if (!child) {
    child = newNode(name, file);
    node.byLabel.set(label, child);
    node.children.push(child);
  }
  return child;
}

// A tree of all samples. With `splitBy`, a tag's key, its values are the first level.
export function treeOf(samples, splitBy = "") {
  const root = newNode("all", "");
  for (const sample of samples) {
    let node = root;
    node.value += sample.ns;
    if (splitBy) {
      const name = `${splitBy} ${sample.tags[splitBy] ?? NONE}`;
      node = childOf(node, { name, file: "", label: name });
      node.value += sample.ns;
    }
    for (const frame of sample.stack) {
      node = childOf(node, frame);
      node.value += sample.ns;
    }
    node.self += sample.ns;
  }
  return root;
}

// How many rows a tree has, of nodes of at least so many ns.
export function depthOf(node, leastNs) {
  const seen = node.children.filter((child) => child.value >= leastNs);
  return 1 + seen.reduce((deepest, child) => Math.max(deepest, depthOf(child, leastNs)), 0);
}

// Each function's time: Map of label to { label, name, file, self, total }. A function that calls
// itself counts once in its total.
export function functionTimes(samples) {
  const times = new Map();
  for (const { stack, ns } of samples) {
    const leaf = stack[stack.length - 1];
    for (const { label, name, file } of new Set(stack)) {
      const known = times.get(label) ?? { label, name, file, self: 0, total: 0 };
      known.total += ns;
      if (label === leaf.label) known.self += ns;
      times.set(label, known);
    }
  }
  return times;
}

export function totalNs(samples) {
  return samples.reduce((sum, sample) => sum + sample.ns, 0);
}

// Gives each node of `tree`, which covers `seconds`, how much more time in each second it has than
// in `other`, as `change`, ns/s. With sign -1 the tree is the earlier one.
export function markChanges(tree, seconds, other, otherSeconds, sign = 1) {
  const visit = (node, twin) => {
    node.change = sign * (node.value / seconds - (twin?.value ?? 0) / otherSeconds);
    for (const [label, child] of node.byLabel) visit(child, twin?.byLabel.get(label));
  };
  visit(tree, other);
}

// What each function's own time is in each second of two sets of samples: [{ label, name, file,
// before, after, change }], ns/s, the largest change first.
export function functionChanges(before, beforeSeconds, after, afterSeconds) {
  const beforeTimes = functionTimes(before);
  const afterTimes = functionTimes(after);
  return [...new Map([...beforeTimes, ...afterTimes]).values()]
    .map(({ label, name, file }) => {
      const rates = {
        before: (beforeTimes.get(label)?.self ?? 0) / beforeSeconds,
        after: (afterTimes.get(label)?.self ?? 0) / afterSeconds,
      };
      return { label, name, file, ...rates, change: rates.after - rates.before };
    })
    .sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
}
