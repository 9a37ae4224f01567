"""An app whose profile is known: it burns what the query string asks for.

    /pid                 answers the worker's pid
    /burn?ms=N           N ms of CPU in burn()
    /own?ms=N            N ms of CPU in a function that bears the worker's pid in its name
    /nested?ms=N         N ms of CPU below a chain of three functions
    /rest?ms=N           N ms asleep in rest()

SPDX-License-Identifier: MIT
"""

import os
import time
from urllib.parse import parse_qs

CALIBRATION_LOOPS = 20_000


def spin(loops):
    while loops:
        loops -= 1


def loops_per_ms():
    """The fastest of a few runs: the others were disturbed."""
    best_ns = min(timed_spin_ns() for _ in range(7))
    return max(1, CALIBRATION_LOOPS * 1_000_000 // best_ns)


def timed_spin_ns():
    start = thread_time_ns()
    spin(CALIBRATION_LOOPS)
    return thread_time_ns() - start


def thread_time_ns():
    """As time.thread_time_ns(), which CPython 3.6 lacks."""
    return int(time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID) * 1_000_000_000)


LOOPS_PER_MS = loops_per_ms()


def burn(ms):
    loops = ms * LOOPS_PER_MS
    while loops:
        loops -= 1


def outer(ms):
    middle(ms)


def middle(ms):
    inner(ms)


def inner(ms):
    burn(ms)


OWN_SOURCE = """
def own_function_of_{pid}(loops):
    while loops:
        loops -= 1
"""

_own_functions = {}


def burn_own(ms):
    pid = os.getpid()
    if pid not in _own_functions:
        names = {}
        exec(compile(OWN_SOURCE.format(pid=pid), "own.py", "exec"), names)
        _own_functions[pid] = names[f"own_function_of_{pid}"]
    _own_functions[pid](ms * LOOPS_PER_MS)


def rest(ms):
    time.sleep(ms / 1000)


ROUTES = {
    "/pid": lambda ms: None,
    "/burn": burn,
    "/own": burn_own,
    "/nested": outer,
    "/rest": rest,
}


def application(environ, start_response):
    ms = int(parse_qs(environ["QUERY_STRING"]).get("ms", ["0"])[0])
    ROUTES[environ["PATH_INFO"]](ms)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
