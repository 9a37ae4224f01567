"""An app whose threads do nothing but wait: BENCH_BLOCKED of them, in one lock each. Asked for
/changing, they wait in it for 5 ms at a time instead of for ever.

Beside them an empty thread of C sleeps at 100 Hz: the yardstick.

SPDX-License-Identifier: MIT
"""

import ctypes
import os
import threading
import time

sleeper = ctypes.CDLL(os.environ["BENCH_SLEEPER"])
sleeper.bench_sleeper_cpu_ns.restype = ctypes.c_uint64
changing = threading.Event()
wake_up = threading.Event()


def wait_for_ever():
    own = threading.Lock()
    own.acquire()
    wake_up.wait()
    while True:
        own.acquire(timeout=0.005 if changing.is_set() else 3600)


def start():
    for _ in range(int(os.environ["BENCH_BLOCKED"])):
        threading.Thread(target=wait_for_ever, daemon=True).start()
    return str(sleeper.bench_sleeper_start())


def change():
    changing.set()
    wake_up.set()
    return "changing"


def clocks():
    return f"{time.monotonic_ns()} {sleeper.bench_sleeper_cpu_ns()}"


PAGES = {"/start": start, "/changing": change, "/clocks": clocks, "/pid": lambda: str(os.getpid())}


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [PAGES[environ["PATH_INFO"]]().encode()]
