"""An app that stands in another stack at nearly each sample.

    /pid          answers the worker's pid
    /climb?ms=N   works for so many milliseconds of wall time

SPDX-License-Identifier: MIT
"""

import os
import random
import time

DEPTH = 20
LOOPS = 500


def work():
    loops = LOOPS
    while loops:
        loops -= 1


def left(way, depth):
    climb(way >> 1, depth - 1)


def right(way, depth):
    climb(way >> 1, depth - 1)


def climb(way, depth):
    if depth == 0:
        work()
    elif way & 1:
        left(way, depth)
    else:
        right(way, depth)


def climb_for(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        climb(random.getrandbits(DEPTH), DEPTH)


def application(environ, start_response):
    if environ["PATH_INFO"] == "/climb":
        climb_for(int(environ["QUERY_STRING"].removeprefix("ms=")) / 1000)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
