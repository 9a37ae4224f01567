// A busy program under the official Node.js agent. The environment says where everything is.
//
// SPDX-License-Identifier: MIT
'use strict';

const profiler = require('@google-cloud/profiler');

const kept = [];

function spin() {
  const until = Date.now() + 50;
  while (Date.now() < until) {
    Math.sqrt(until);
  }
  kept.push(new Array(10000).fill(kept.length));
  if (kept.length > 100) {
    kept.length = 0;
  }
  setTimeout(spin, 10);
}

profiler
  .start({
    apiEndpoint: process.env.STANDIN_API,
    serviceContext: {service: 'shop', version: '1.0'},
    disableSourceMaps: true,
    logLevel: 3,
  })
  .then(spin);
