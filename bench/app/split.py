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

LOOPS_PER_PERCENT = int(os.environ["BENCH_LOOPS"]) // 100
SHARES = {"half": 50, "third": 30, "fifth": 20}
NAP_S = 0.020
RUNGS = 27  # with Flask's 5 frames, leaves_below and the leaf: 34

app = Flask(__name__)


def half(loops):
    while loops:
        loops -= 1


def third(loops):
    while loops:
        loops -= 1


def fifth(loops):
    while loops:
        loops -= 1


def leaves_below():
    half(SHARES["half"] * LOOPS_PER_PERCENT)
    third(SHARES["third"] * LOOPS_PER_PERCENT)
    fifth(SHARES["fifth"] * LOOPS_PER_PERCENT)


def nap_below():
    time.sleep(NAP_S)


def make_ladder(lowest):
    """The first of RUNGS functions, each of which calls the next, the last `lowest`."""
    callees = [f"rung_{number}" for number in range(1, RUNGS)] + ["lowest"]
    text = "".join(
        f"def rung_{number}():\n    return {callee}()\n" for number, callee in enumerate(callees)
    )
    names = {"lowest": lowest}
    exec(compile(text, "ladder.py", "exec"), names)
    return names["rung_0"]


work_below = make_ladder(leaves_below)
nap_far_below = make_ladder(nap_below)


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
