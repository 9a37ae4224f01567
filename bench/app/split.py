"""The app that all profilers are measured on: Flask, BENCH_LOOPS iterations a request, 50 / 30 /
20 % of them in three functions at depth 34. No look at a clock.

    /work    one such request
    /nap     20 ms asleep at the same depth
    /pid     nothing

With BENCH_AGENT set it runs Google's own agent; see agent.py.

SPDX-License-Identifier: MIT
"""

import os
import time

from flask import Flask
from truth import SHARES, fifth, half, ladder, third

LOOPS_PER_PERCENT = int(os.environ["BENCH_LOOPS"]) // 100
NAP_S = 0.020
RUNGS = 27  # with Flask's 5 frames, leaves_below and the leaf: 34

app = Flask(__name__)


def leaves_below():
    half(SHARES["half"] * LOOPS_PER_PERCENT)
    third(SHARES["third"] * LOOPS_PER_PERCENT)
    fifth(SHARES["fifth"] * LOOPS_PER_PERCENT)


def nap_below():
    time.sleep(NAP_S)


work_below = ladder(RUNGS, leaves_below)
nap_far_below = ladder(RUNGS, nap_below)


@app.get("/work")
def work():
    work_below()
    return "done"


@app.get("/nap")
def nap():
    nap_far_below()
    return "done"


@app.get("/pid")
def pid():
    return str(os.getpid())


if "BENCH_AGENT" in os.environ:
    import agent

    agent.start_after_forks()
