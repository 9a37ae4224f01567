"""An app whose profile is known to the frame: 150 ms of CPU a request, 50 / 30 / 20 % of it in
three functions, under 60 functions that call each other.

The three leaves have the same body, so that their shares are their loop counts.

SPDX-License-Identifier: MIT
"""

import os

import burn

REQUEST_MS = 150
RUNGS = 60
LADDER_FILE = "ladder.py"
SHARES = {"half": 50, "third": 30, "fifth": 20}
BELOW_RUNGS = "three_leaves"


def half(loops):
    while loops:
        loops -= 1


def third(loops):
    while loops:
        loops -= 1


def fifth(loops):
    while loops:
        loops -= 1


def three_leaves():
    loops = REQUEST_MS * burn.LOOPS_PER_MS // 100
    half(loops * SHARES["half"])
    third(loops * SHARES["third"])
    fifth(loops * SHARES["fifth"])


def rung_line(number):
    """The line on which rung `number` calls the next one."""
    return 2 * number + 2


def ladder(rungs, lowest):
    """The first of so many functions f00, f01, ... on lines of their own, the last of which calls
    `lowest`."""
    text = "".join(
        f"def f{number:02}():\n    return {callee}()\n"
        for number in range(rungs)
        for callee in [f"f{number + 1:02}" if number + 1 < rungs else "lowest"]
    )
    names = {"lowest": lowest}
    exec(compile(text, LADDER_FILE, "exec"), names)
    return names["f00"]


f00 = ladder(RUNGS, three_leaves)


def application(environ, start_response):
    if environ["PATH_INFO"] == "/truth":
        f00()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
