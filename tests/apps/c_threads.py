"""An app with threads of C that come and go, and that enter and leave Python by ctypes callbacks.

    /run     four threads, each of which burns OUTSIDE_MS in C and then INSIDE_MS in Python,
             CALLS times over; every other one calls first(), the others second()
    /own     burns CPU in own_work(), on a thread of uWSGI

The library of tests/apps/c_threads.c lies beside this file.

SPDX-License-Identifier: MIT
"""

import ctypes
import os
from pathlib import Path

import burn

THREADS = 4
CALLS = 60
OUTSIDE_MS = 2
INSIDE_MS = 1
OWN_MS = 20

CALLBACK = ctypes.CFUNCTYPE(None)
C_CALIBRATION_LOOPS = 1_000_000

# All stacks that there can be, root first; a sample's may end at any of the functions.
STACKS = (
    ("first", "first_leaf", "spin"),
    ("second", "second_leaf", "spin"),
    ("application", "run_threads"),
    ("application", "own_work", "spin"),
)


def load_library():
    library = ctypes.CDLL(str(Path(__file__).with_name("c_threads.so")))
    library.c_threads_burn.argtypes = [ctypes.c_long]
    library.c_threads_run.argtypes = [
        ctypes.c_int,
        ctypes.POINTER(CALLBACK),
        ctypes.c_long,
        ctypes.c_long,
    ]
    return library


def first_leaf():
    burn.spin(INSIDE_MS * burn.LOOPS_PER_MS)


def first():
    first_leaf()


def second_leaf():
    burn.spin(INSIDE_MS * burn.LOOPS_PER_MS)


def second():
    second_leaf()


def timed_burn_ns(library):
    start = burn.thread_time_ns()
    library.c_threads_burn(C_CALIBRATION_LOOPS)
    return burn.thread_time_ns() - start


def own_work():
    burn.spin(OWN_MS * burn.LOOPS_PER_MS)


def run_threads():
    callbacks = (CALLBACK * 2)(CALLBACK(first), CALLBACK(second))
    count = LIBRARY.c_threads_run(THREADS, callbacks, CALLS, OUTSIDE_MS * C_LOOPS_PER_MS)
    assert count == THREADS, count


def load():
    library = load_library()
    best_ns = min(timed_burn_ns(library) for _ in range(7))
    return library, C_CALIBRATION_LOOPS * 1_000_000 // best_ns


ROUTES = {"/run": run_threads, "/own": own_work}


def application(environ, start_response):
    if environ["PATH_INFO"] in ROUTES:
        ROUTES[environ["PATH_INFO"]]()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


if __name__ != "c_threads":  # uWSGI calls it something else; a test that imports it wants names
    LIBRARY, C_LOOPS_PER_MS = load()
