"""An app half of whose CPU time is spent in threads that live for a millisecond.

    /mix    spins in spin_main, then as long in twenty threads, one after the other; answers what
            the process has used until now, and of that its main thread and spin_main, ns

SPDX-License-Identifier: MIT
"""

import json
import os
import resource
import threading
import time

import burn

MAIN_MS = 20
THREADS = 20

spun_ns = [0]


def spin_main():
    burn.spin(MAIN_MS * burn.LOOPS_PER_MS)


def spin_short():
    burn.spin(MAIN_MS * burn.LOOPS_PER_MS // THREADS)


def books():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "pid": os.getpid(),
        "ru_utime": usage.ru_utime,
        "ru_stime": usage.ru_stime,
        "main_thread_ns": time.thread_time_ns(),
        "spin_main_ns": spun_ns[0],
    }


def application(environ, start_response):
    began_ns = time.thread_time_ns()
    spin_main()
    spun_ns[0] += time.thread_time_ns() - began_ns
    for _ in range(THREADS):
        thread = threading.Thread(target=spin_short)
        thread.start()
        thread.join()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(books()).encode()]
