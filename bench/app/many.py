"""An app of which many workers run: each has one thread that works all the time or, with
BENCH_LOAD=light, half a millisecond ten times a second.

SPDX-License-Identifier: MIT
"""

import os
import threading
import time

import uwsgi
from truth import ladder

LIGHT = os.environ.get("BENCH_LOAD") == "light"
NAP_S = 0.1
TURNS = 10  # half a millisecond
LOOPS = 2_000
RUNGS = 30


def spin():
    for _ in range(LOOPS):
        pass


work = ladder(RUNGS, spin)


def work_for_ever():
    while True:
        for _ in range(TURNS):
            work()
        if LIGHT:
            time.sleep(NAP_S)


def start():
    threading.Thread(target=work_for_ever, name="work", daemon=True).start()


uwsgi.post_fork_hook = start


def application(_environ, start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
