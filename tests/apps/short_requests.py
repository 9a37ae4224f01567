"""An app of short requests whose profile is known: 5 ms of CPU, split 50 / 30 / 20 by loop
counts, and no look at a clock.

    /truth               the three functions
    /pid                 answers the worker's pid

SPDX-License-Identifier: MIT
"""

import os

import burn
import truth

REQUEST_MS = 5
LOOPS_PER_PERCENT = REQUEST_MS * burn.LOOPS_PER_MS // 100


def application(environ, start_response):
    if environ["PATH_INFO"] == "/truth":
        truth.half(LOOPS_PER_PERCENT * truth.SHARES["half"])
        truth.third(LOOPS_PER_PERCENT * truth.SHARES["third"])
        truth.fifth(LOOPS_PER_PERCENT * truth.SHARES["fifth"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
