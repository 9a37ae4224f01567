"""Two routes whose cost is known: each has functions of its own that burn CPU time and sleep, so
that a sample's stack says which route it is of, whatever its tags say.

Asked equally often, /burner/... takes 70 of 100 of the CPU time and /sleeper/... 80 of 100 of the
wall time, less what threads wait for each other. The answer is what the request really took: its
CPU time, and its wall time without the time in which its thread was ready and waited for a CPU.

SPDX-License-Identifier: MIT
"""

import os
import time
from pathlib import Path

BURN_MS = {"burner": 2.1, "sleeper": 0.9}
REST_MS = {"burner": 5.9, "sleeper": 31.1}
# Between two looks at the clock, which is a system call: 200 make a third of the CPU time one.
LOOPS = int(os.environ.get("LOOPS", "4000"))


def _burn(ms):
    """In user mode but for those looks, which are sampled more rarely, and by the kernel's tick."""
    end = time.thread_time() + ms / 1000
    while time.thread_time() < end:
        sum(range(LOOPS))


def burner_burns():
    _burn(BURN_MS["burner"])


def burner_rests():
    time.sleep(REST_MS["burner"] / 1000)


def sleeper_burns():
    _burn(BURN_MS["sleeper"])


def sleeper_rests():
    time.sleep(REST_MS["sleeper"] / 1000)


def handle_burner():
    burner_burns()
    burner_rests()


def handle_sleeper():
    sleeper_burns()
    sleeper_rests()


def handle_other():
    _burn(20)


def _handle(path):
    if path.startswith("/burner/"):
        handle_burner()
    elif path.startswith("/sleeper/"):
        handle_sleeper()
    elif path.startswith("/other") and not path.endswith("/idle"):
        handle_other()


def waited_for_cpu_ns():
    """Run-queue time of this thread, by the kernel's own accounts."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1])


def application(environ, start_response):
    waited = waited_for_cpu_ns()
    cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
    _handle(environ["PATH_INFO"])
    took = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall - waited_for_cpu_ns() + waited
    start_response("200 OK", [("Content-Type", "text/plain")])
    route = environ["PATH_INFO"].split("/")[1]
    return [f"{route} {took[0]} {took[1]}".encode()]
