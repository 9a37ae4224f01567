"""What the apps with kernel time share: a request is so much CPU time in a function that stays
in user mode, and about as much in one that makes the kernel work. The app itself keeps the sums
of both, by its thread's clock, which the profile is compared with.

SPDX-License-Identifier: MIT
"""

import json
import os
import resource

import burn

PART_MS = 10


def stay_in_user_mode(loops):
    while loops:
        loops -= 1


def rounds_for(part_ms, work):
    """How many rounds of work() take part_ms: by the fastest of a few runs."""
    best_ns = min(clocked_ns(work, 1) for _ in range(20))
    return max(1, part_ms * 1_000_000 // best_ns)


def clocked_ns(function, argument):
    start = burn.thread_time_ns()
    function(argument)
    return burn.thread_time_ns() - start


class TwoParts:
    """The WSGI application. Answers JSON: the worker's pid and its sums from its start on."""

    def __init__(self, kernel_work):
        self._kernel_work = kernel_work
        self._rounds = rounds_for(PART_MS, kernel_work)
        self._user_ns = 0
        self._kernel_ns = 0

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/truth":
            loops = PART_MS * burn.LOOPS_PER_MS
            self._user_ns += clocked_ns(stay_in_user_mode, loops)
            self._kernel_ns += clocked_ns(self._kernel_work, self._rounds)
        used = resource.getrusage(resource.RUSAGE_SELF)
        sums = {
            "pid": os.getpid(),
            "user_part_ns": self._user_ns,
            "kernel_part_ns": self._kernel_ns,
            "ru_utime": used.ru_utime,
            "ru_stime": used.ru_stime,
        }
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(sums).encode()]
