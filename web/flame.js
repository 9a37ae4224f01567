// One flame graph: d3-flame-graph with keys, a search by plain text, and colours that follow the
// page's light and dark mode.
//
// SPDX-License-Identifier: MIT

import { flamegraph, select } from "./vendor.js";
import { milliseconds, percent, rateChange } from "./dom.js";
import { depthOf } from "./profile.js";

// A graph of few rows has taller ones.
const ROW_PX_MIN = 20;
const ROW_PX_MAX = 44;
// Of the whole: rows that have narrower frames alone need no place.
const SEEN_MIN = 0.001;
// Narrower frames cannot be seen or hit; leaving them out keeps large profiles quick.
const FRAME_MIN_PX = 1;
const LIBRARY = /(^|\/)(site-packages|dist-packages|lib\/python\d)|^<frozen /;
// "[uWSGI]", "deflate [libz.so.1]"
const NATIVE = /(^| )\[[^\]]*\]$/;
const COLOURS_EACH = 4;

function hash(text) {
  let value = 0;
  for (const letter of text) value = (value * 31 + letter.codePointAt(0)) >>> 0;
  return value;
}

// The app's own code stands out against libraries; what is no Python is grey.
function colourOfFrame(data) {
  if (data.file === "" || NATIVE.test(data.name)) return "var(--frame-native)";
  const group = LIBRARY.test(data.file) ? "library" : "app";
  return `var(--frame-${group}-${hash(data.name) % COLOURS_EACH})`;
}

// Three steps each way, of the larger sum of two profiles: half a point of a hundred is noise, ten
// are much.
function colourOfChange(change, whole) {
  const size = Math.abs(change) / whole;
  if (size < 0.005) return "var(--change-none)";
  const step = size < 0.02 ? 1 : size < 0.1 ? 2 : 3;
  return `var(--change-${change > 0 ? "more" : "less"}-${step})`;
}

// The library counts only what a zoom has left.
function foundNs(node, text) {
  if (node.name.toLowerCase().includes(text)) return node.value;
  return node.children.reduce((sum, child) => sum + foundNs(child, text), 0);
}

const rowsOf = (tree) => depthOf(tree, SEEN_MIN * tree.value);

// Makes a flame graph in `container`. told(text) receives a line about the frame under the pointer
// or the keys; zoomed(path) the names of the frames down to the one that was zoomed to.
export function createFlame(container, { told, zoomed }) {
  let chart = null;
  let total = 0;
  let current = null; // where the keys are: a node of d3's hierarchy
  let whole = 1; // ns/s, that a change is compared with

  const root = () => select(container).datum();

  const describe = (node) => {
    const { name, file, value, self, change } = node.data;
    const parts = [name];
    if (file) parts.push(file);
    parts.push(`${milliseconds(value)}, ${percent(value / total)} (itself ${milliseconds(self)})`);
    if (change !== undefined) parts.push(rateChange(change));
    return parts.join(" \u00b7 ");
  };

  const colour = (node) => {
    if (node.highlight) return "var(--frame-found)";
    const { data } = node;
    return data.change === undefined ? colourOfFrame(data) : colourOfChange(data.change, whole);
  };

  const pathTo = (node) => node.ancestors().reverse().slice(1).map((each) => each.data.name);

  const markCurrent = () => {
    const frames = select(container).selectAll("g.frame");
    frames.classed("current", (node) => node === current);
    const mark = container.querySelector("g.current");
    mark?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };

  const moveTo = (node) => {
    if (!node || node.data.hide || !node.value) return;
    current = node;
    markCurrent();
    told(describe(node));
  };

  const sibling = (node, step) => {
    const shown = node.parent?.children.filter((each) => each.value > 0) ?? [];
    return shown[shown.indexOf(node) + step];
  };

  const largestChild = (node) =>
    node.children?.reduce((best, each) => (each.value > best.value ? each : best));

  const keys = {
    ArrowUp: () => moveTo(current.parent),
    ArrowDown: () => moveTo(largestChild(current)),
    ArrowLeft: () => moveTo(sibling(current, -1)),
    ArrowRight: () => moveTo(sibling(current, 1)),
    Enter: () => chart.zoomTo(current),
    Escape: () => reset(),
  };

  function reset() {
    if (!chart) return;
    chart.resetZoom();
    moveTo(root());
  }

  container.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || !chart || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  container.addEventListener("focus", () => chart && moveTo(current));
  container.addEventListener("blur", () => select(container).selectAll("g.current")
    .classed("current", false));

  const width = () => Math.max(container.clientWidth, 200);

  new ResizeObserver(() => {
    if (chart && chart.width() !== width()) chart.width(width()).update();
  }).observe(container);

  return {
    // Shows a tree of profile.js, which fills about this height. Nodes that have a change are coloured
    // by it, in comparison with `largestRate`, ns/s.
    show(tree, heightPx, largestRate) {
      const rowPx = Math.floor(heightPx / rowsOf(tree));
      const cellPx = Math.min(Math.max(rowPx, ROW_PX_MIN), ROW_PX_MAX);
      container.replaceChildren();
      total = tree.value || 1;
      whole = largestRate || 1;
      container.style.setProperty("--row", `${cellPx}px`);
      container.style.setProperty("--rows", rowsOf(tree));
      chart = flamegraph()
        .width(width())
        .cellHeight(cellPx)
        .minFrameSize(FRAME_MIN_PX)
        .inverted(true)
        .transitionDuration(0)
        .sort((a, b) => b.data.value - a.data.value)
        .setColorMapper(colour)
        .setLabelHandler(describe)
        .setDetailsHandler((text) => told(text ?? ""))
        .setSearchHandler(() => {})
        .setSearchMatch((node, text) => node.data.name.toLowerCase().includes(text))
        .onClick((node) => {
          current = node;
          markCurrent();
          container.style.setProperty("--rows", node.depth + rowsOf(node.data));
          zoomed(pathTo(node));
        });
      select(container).datum(tree).call(chart);
      current = root();
    },

    // Marks the frames whose name holds the text; returns their share of all time.
    search(text) {
      if (!chart) return 0;
      if (text) chart.search(text.toLowerCase());
      else chart.clear();
      if (document.activeElement === container) markCurrent();
      return text ? foundNs(select(container).datum().data, text.toLowerCase()) / total : 0;
    },

    // Zooms to the frame that this path of names leads to, as far as it exists here.
    zoomTo(path) {
      let node = root();
      for (const name of path) {
        const next = node.children?.find((each) => each.data.name === name);
        if (!next) break;
        node = next;
      }
      chart.zoomTo(node);
    },

    reset,
  };
}
