"""An app whose work repeats exactly: in each worker one thread goes through half(), third() and
fifth() in turn, in cycles of CYCLE_MS of its CPU time.

    /pid                 answers the worker's pid

SPDX-License-Identifier: MIT
"""

import os
import threading
import time

import truth
import uwsgi

CYCLE_NS = int(float(os.environ["CYCLE_MS"]) * 1_000_000)


def half(end_ns):
    while time.thread_time_ns() < end_ns:
        for _ in range(1000):
            pass


def third(end_ns):
    while time.thread_time_ns() < end_ns:
        for _ in range(1000):
            pass


def fifth(end_ns):
    while time.thread_time_ns() < end_ns:
        for _ in range(1000):
            pass


def work():
    """Ends are counted on from each other, so that no error adds up."""
    end_ns = time.thread_time_ns()
    lengths = {name: CYCLE_NS * percent // 100 for name, percent in truth.SHARES.items()}
    while True:
        half(end_ns := end_ns + lengths["half"])
        third(end_ns := end_ns + lengths["third"])
        fifth(end_ns := end_ns + lengths["fifth"])


def start():
    threading.Thread(target=work, daemon=True).start()


uwsgi.post_fork_hook = start


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
