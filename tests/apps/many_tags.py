"""An app that tags each request many times, with the same values or with ones never seen before.

    /pid        answers the worker's pid
    /constant   TAGS times a request's tag and a block's tag that always have the same value
    /distinct   the same with values that this process has not had

Both make the same texts, and do the same work besides. They answer the CPU nanoseconds that it
took.

SPDX-License-Identifier: MIT
"""

import itertools
import os
import time

import cloudprofiler

TAGS = 50
LOOPS = 1_000  # of other work for each tag

_numbers = itertools.count()


def work():
    total = 0
    for number in range(LOOPS):
        total += number
    return total


def tag(text):
    cloudprofiler.set_tag("customer", text)
    with cloudprofiler.tag(order=text):
        work()


def serve(is_distinct):
    for _ in range(TAGS):
        made = f"value-{next(_numbers):012d}"
        tag(made if is_distinct else "value-of-all")


def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_ns = time.thread_time_ns()
    if path != "/pid":
        serve(path == "/distinct")
    answer = time.thread_time_ns() - start_ns if path != "/pid" else os.getpid()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(answer).encode()]
