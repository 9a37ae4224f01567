"""Functions that wait for a CPU, each in its way, and keep books of it by the kernel's clocks.

    /pid             answers the worker's pid
    /mix             goes through all functions, over and over; answers the book as JSON
    /mix?work_ms=1   the same, with little to do in `work`

It begins with a mark and lasts until there is END, as in wall_mix.py.

`work` is pushed aside; `ask` and `nap` wait when they wake up: `ask` talks to another process, as
an app does with its database.

SPDX-License-Identifier: MIT
"""

import json
import os
import subprocess
import time
from urllib.parse import parse_qs

import burn
from wall_mix import END, Clocks, core_name, leave_mark

WORK_MS = 8
QUESTIONS = 6
NAPS = 2


def work(_partner, work_ms):
    loops = work_ms * burn.LOOPS_PER_MS
    while loops:
        loops -= 1


def ask(partner, _work_ms):
    for _ in range(QUESTIONS):
        partner.stdin.write(b"x")
        partner.stdout.read(1)


def nap(_partner, _work_ms):
    for _ in range(NAPS):
        time.sleep(0.001)


FUNCTIONS = [work, ask, nap]


def keep_book(name, work_ms):
    """What lies between two functions is in none of them."""
    entries = []
    clocks = Clocks()
    partner = subprocess.Popen(
        ["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    begin = leave_mark(name)
    while not END.exists():
        for function in FUNCTIONS:
            start, (cpu, run_queue) = time.time(), clocks.read()
            function(partner, work_ms)
            (cpu_after, run_queue_after), end = clocks.read(), time.time()
            entries.append(
                (function.__name__, start, end, cpu_after - cpu, run_queue_after - run_queue)
            )
    partner.communicate()
    clocks.close()
    return {"thread": name, "begin": begin, "end": time.time(), "entries": entries}


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    if environ["PATH_INFO"] == "/pid":
        return [str(os.getpid()).encode()]
    asked = parse_qs(environ["QUERY_STRING"])
    book = keep_book(core_name(environ), int(asked.get("work_ms", [WORK_MS])[0]))
    return [json.dumps({"books": [book]}).encode()]
