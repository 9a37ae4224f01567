"""An app whose stacks are never the same twice, so that its log fills: a thread burns CPU time in
left() and right() by turns, below a path that is another one each time.

    /work           starts the thread
    /stop           ends it, and answers the seconds of CPU time that it used in left and in right
    /nap/SECONDS    sleeps

SPDX-License-Identifier: MIT
"""

import os
import threading
import time

DEPTH = 60
LOOPS = 30_000

books = {"left": 0.0, "right": 0.0}
is_over = threading.Event()
threads = []


def left(loops):
    while loops:
        loops -= 1


def right(loops):
    while loops:
        loops -= 1


def zero(number, depth, burn, loops):
    step(number, depth, burn, loops)


def one(number, depth, burn, loops):
    step(number, depth, burn, loops)


def step(number, depth, burn, loops):
    if depth == 0:
        burn(loops)
    elif number & 1:
        one(number >> 1, depth - 1, burn, loops)
    else:
        zero(number >> 1, depth - 1, burn, loops)


def take_turns():
    number = 0
    while not is_over.is_set():
        number += 1
        for burn, loops in ((left, 2 * LOOPS), (right, LOOPS)):
            before = time.thread_time()
            step(number, DEPTH, burn, loops)
            books[burn.__name__] += time.thread_time() - before


def nap(seconds):
    time.sleep(seconds)


def start():
    threads.append(threading.Thread(target=take_turns, name="turns", daemon=True))
    threads[0].start()


def stop():
    is_over.set()
    threads[0].join()
    return f"{books['left']} {books['right']}"


def application(environ, start_response):
    path = environ["PATH_INFO"]
    answer = None
    if path == "/work":
        start()
    elif path == "/stop":
        answer = stop()
    elif path.startswith("/nap/"):
        nap(float(path.split("/")[2]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [(answer or str(os.getpid())).encode()]
