// Puts the viewer's script and styles into report.html, with a policy that allows these alone.
//
//     node make_report.js PAGE INDEX SCRIPT STYLES... > report.html
//
// SPDX-License-Identifier: MIT

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const read = (path) => readFileSync(path, "utf8");
const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

const [page, index, script, ...styles] = process.argv.slice(2);
const [viewer] = read(index).match(/<section id="viewer"[^]*?<\/section>/);
const parts = { viewer, script: read(script), styles: styles.map(read).join("\n") };
parts.policy = [
  "default-src 'none'",
  `script-src ${hash(parts.script)}`,
  `style-src ${hash(parts.styles)}`,
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");
process.stdout.write(read(page).replace(/@(\w+)@/g, (_all, name) => parts[name]));
