"""Requests that wait in gevent, and keep books of it.

    /pid              answers the worker's pid
    /nap?ms=N         sleeps in gevent
    /crowd?count=C    makes C greenlets, each of which sleeps for CROWD_MS and ends
    /work?ms=N        burns CPU, and then sleeps for REST_PARTS times as long
    /toil?ms=N        the same, and sleeps for TOIL_REST_PARTS times as long
    /block?ms=N       sleeps so that nobody else can run
    /book             answers, as JSON, all waits so far: name, start and end by the clock of the
                      day; of /block without the time in which the thread waited for a CPU

SPDX-License-Identifier: MIT
"""

import json
import os
import time
from pathlib import Path
from urllib.parse import parse_qs

import burn
import gevent

CROWD_MS = 200
REST_PARTS = 5
TOIL_REST_PARTS = 2

book = []


def note(name, start):
    book.append((name, start, time.time()))


def nap(ms):
    start = time.time()
    gevent.sleep(ms / 1000)
    note("nap", start)


def short_life():
    start = time.time()
    gevent.sleep(CROWD_MS / 1000)
    note("short_life", start)


def wait_for_crowd(count):
    start = time.time()
    gevent.joinall([gevent.spawn(short_life) for _ in range(count)])
    note("wait_for_crowd", start)


def run_queue_seconds():
    """For how long this thread has waited for a CPU so far."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def block(ms):
    waited = run_queue_seconds()
    start = time.time()
    time.sleep(ms / 1000)
    note("block", start + run_queue_seconds() - waited)


def work(ms):
    burn.burn(ms)
    nap(REST_PARTS * ms)


def toil(ms):
    burn.burn(ms)
    nap(TOIL_REST_PARTS * ms)


ROUTES = {"/nap": nap, "/work": work, "/toil": toil, "/block": block, "/crowd": wait_for_crowd}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path in ROUTES:
        (values,) = parse_qs(environ["QUERY_STRING"]).values()
        ROUTES[path](int(values[0]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [(json.dumps(book) if path == "/book" else str(os.getpid())).encode()]
