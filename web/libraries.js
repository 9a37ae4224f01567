// What the page uses of others. `make web` makes vendor.js and vendor.css of this file; it is not
// sent to the browser itself.
//
// SPDX-License-Identifier: MIT

export { default as flamegraph } from "d3-flame-graph";
export { select } from "d3-selection";
export { Profile } from "pprof-format";
