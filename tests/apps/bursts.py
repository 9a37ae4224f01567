"""An app of many threads that do little: in each worker THREADS of them, each of which works for
BURST_MS once a second.

    /pid                 answers the worker's pid

SPDX-License-Identifier: MIT
"""

import os
import threading
import time

import burn
import uwsgi

THREADS = int(os.environ["THREADS"])
BURST_MS = float(os.environ["BURST_MS"])


def burst(loops):
    while loops:
        loops -= 1


def live(place):
    time.sleep(place)
    loops = int(BURST_MS * burn.LOOPS_PER_MS)
    while True:
        burst(loops)
        time.sleep(1)


def start():
    threading.stack_size(256 * 1024)
    for number in range(THREADS):
        threading.Thread(target=live, args=(number / THREADS,), daemon=True).start()


uwsgi.post_fork_hook = start


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
