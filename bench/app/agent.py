"""Google's own agent in a worker, without its connection.

Its client thread is replaced by one that calls one of its profilers in the same way, back to
back, so that nothing leaves the machine. The package is imported in the master and the thread
starts after the fork, the one way in which it works without lazy-apps.

BENCH_AGENT        directory for each worker's profiles (PID-NUMBER.pb.gz) and, beside each, the
                   process's CPU time over the call in ns (.cpu)
BENCH_AGENT_WAITS  set: the thread starts and never profiles
BENCH_AGENT_WALL   set: its wall profiler instead, of which nothing is kept

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import threading
import time
from pathlib import Path

import uwsgi
from googlecloudprofiler import cpu_profiler, pythonprofiler

PERIOD_MS = 10
PROFILE_NS = 10_000_000_000

directory = Path(os.environ["BENCH_AGENT"])


def profile_for_ever():
    if "BENCH_AGENT_WAITS" in os.environ:
        threading.Event().wait()
    profiler = cpu_profiler.CPUProfiler(PERIOD_MS)
    number = 0
    while True:
        before_ns = time.process_time_ns()
        profile = profiler.profile(PROFILE_NS)
        used_ns = time.process_time_ns() - before_ns
        name = f"{os.getpid()}-{number}"
        (directory / f"{name}.pb.gz").write_bytes(profile)
        (directory / f"{name}.cpu").write_text(str(used_ns))
        number += 1


def profile_wall_for_ever(profiler):
    while True:
        # On 3.11 it fails at frames that have no line yet, and its client goes on.
        with contextlib.suppress(TypeError):
            profiler.profile(PROFILE_NS)


def start_after_forks():
    def start():
        target, arguments = profile_for_ever, ()
        if "BENCH_AGENT_WALL" in os.environ:
            profiler = pythonprofiler.WallProfiler(PERIOD_MS)
            profiler.register_handler()  # the main thread alone may
            target, arguments = profile_wall_for_ever, (profiler,)
        threading.Thread(target=target, args=arguments, daemon=True).start()

    uwsgi.post_fork_hook = start
