// A pprof file as samples, and what can be made of them. Nothing here touches the page.
//
// A sample: { stack: [frame], tags: { key: value }, ns }; stacks begin at the root. A frame:
// { name, file, line }; equal frames are the same object. A tree's node: { name, file, value,
// self, children }, values in nanoseconds.
//
// SPDX-License-Identifier: MIT

import { Profile } from "./vendor.js";

const OTHER = "[none]";

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
    functions.set(Number(each.id), { name, file, line: Number(each.startLine) });
  }
  const locations = new Map();
  for (const each of message.location) {
    const frames = each.line.map((line) => functions.get(Number(line.functionId)));
    locations.set(Number(each.id), frames.filter(Boolean));
  }
  return (id) => locations.get(Number(id)) ?? [];
}

// The tags of the samples: Map of key to [[value, ns]], values by their time.
export function tagValues(samples) {
  const keys = new Map();
  for (const sample of samples) {
    for (const [key, value] of Object.entries(sample.tags)) {
      if (!keys.has(key)) keys.set(key, new Map());
      const values = keys.get(key);
      values.set(value, (values.get(value) ?? 0) + sample.ns);
    }
  }
  const byTime = (a, b) => b[1] - a[1];
  return new Map([...keys].map(([key, values]) => [key, [...values].sort(byTime)]));
}

// The samples that have all these tags; wanted: { key: value }, "" stands for any value.
export function filterSamples(samples, wanted) {
  const terms = Object.entries(wanted).filter(([, value]) => value !== "");
  return samples.filter((sample) => terms.every(([key, value]) => sample.tags[key] === value));
}

function newNode(name, file) {
  return { name, file, value: 0, self: 0, children: [], byFrame: new Map() };
}

function childOf(node, name, file) {
  const key = `${name}\n${file}`;
  let child = node.byFrame.get(key);
  if (!child) {
    child = newNode(name, file);
    node.byFrame.set(key, child);
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
      node = childOf(node, `${splitBy} ${sample.tags[splitBy] ?? OTHER}`, "");
      node.value += sample.ns;
    }
    for (const frame of sample.stack) {
      node = childOf(node, frame.name, frame.file);
      node.value += sample.ns;
    }
    node.self += sample.ns;
  }
  return root;
}

// Each function's time: Map of "name\nfile" to { name, file, self, total }. A function that calls
// itself counts once in its total.
export function functionTimes(samples) {
  const times = new Map();
  for (const { stack, ns } of samples) {
    const leaf = stack[stack.length - 1];
    for (const frame of new Set(stack)) {
      const key = `${frame.name}\n${frame.file}`;
      const known = times.get(key) ?? { name: frame.name, file: frame.file, self: 0, total: 0 };
      known.total += ns;
      if (frame === leaf) known.self += ns;
      times.set(key, known);
    }
  }
  return times;
}

export function totalNs(samples) {
  return samples.reduce((sum, sample) => sum + sample.ns, 0);
}

// Gives each node of `tree` its share of the tree's time less its share in `other`, as `change`.
// Shares are compared and not times: two windows are never equally long or busy.
export function markChanges(tree, other) {
  const share = (node, root) => (node && root.value > 0 ? node.value / root.value : 0);
  const visit = (node, twin) => {
    node.change = share(node, tree) - share(twin, other);
    for (const [key, child] of node.byFrame) visit(child, twin?.byFrame.get(key));
  };
  visit(tree, other);
}

// What differs most between two sets of samples: [{ name, file, before, after, change }], shares of
// self time, the largest change first.
export function functionChanges(before, after) {
  const beforeTimes = functionTimes(before);
  const afterTimes = functionTimes(after);
  const beforeNs = totalNs(before) || 1;
  const afterNs = totalNs(after) || 1;
  const keys = new Set([...beforeTimes.keys(), ...afterTimes.keys()]);
  return [...keys]
    .map((key) => {
      const { name, file } = beforeTimes.get(key) ?? afterTimes.get(key);
      const shareBefore = (beforeTimes.get(key)?.self ?? 0) / beforeNs;
      const shareAfter = (afterTimes.get(key)?.self ?? 0) / afterNs;
      return { name, file, before: shareBefore, after: shareAfter, change: shareAfter - shareBefore };
    })
    .sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
}
