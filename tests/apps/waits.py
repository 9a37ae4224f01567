"""Requests that mostly wait: a nap and a little work, each in a function of its own.

SPDX-License-Identifier: MIT
"""

import time

NAP_SECONDS = 0.03
WORK_SECONDS = 0.005


def cpu_seconds():
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)  # thread_time() came with 3.7


def nap():
    time.sleep(NAP_SECONDS)


def work():
    end = cpu_seconds() + WORK_SECONDS
    while cpu_seconds() < end:
        pass


def application(environ, start_response):
    nap()
    work()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"waited"]
