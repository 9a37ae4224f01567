"""Functions that wait for a CPU, each in its way, and keep books of it by the kernel's clocks.

    /pid             answers the worker's pid
    /mix?until=T     goes through all functions, over and over, until the clock says T; answers the
                     book as JSON

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
from wall_mix import Clocks, core_name

WORK_MS = 8
QUESTIONS = 6
NAPS = 2


def work(_partner):
    loops = WORK_MS * burn.LOOPS_PER_MS
    while loops:
        loops -= 1


def ask(partner):
    for _ in range(QUESTIONS):
        partner.stdin.write(b"x")
        partner.stdout.read(1)


def nap(_partner):
    for _ in range(NAPS):
        time.sleep(0.001)


FUNCTIONS = [work, ask, nap]


def keep_books(until):
    """What lies between two functions is in none of them."""
    entries = []
    clocks = Clocks()
    partner = subprocess.Popen(
        ["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    while time.time() < until:
        for function in FUNCTIONS:
            start, (cpu, run_queue) = time.time(), clocks.read()
            function(partner)
            (cpu_after, run_queue_after), end = clocks.read(), time.time()
            entries.append(
                (function.__name__, start, end, cpu_after - cpu, run_queue_after - run_queue)
            )
    partner.communicate()
    clocks.close()
    return entries


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    if environ["PATH_INFO"] == "/pid":
        return [str(os.getpid()).encode()]
    until = float(parse_qs(environ["QUERY_STRING"])["until"][0])
    book = {"thread": core_name(environ), "entries": keep_books(until)}
    return [json.dumps({"books": [book]}).encode()]
