"""What CPU profiles cost an app that does next to nothing, thousands of times a second: the kernel
switches a perf event on and off with its thread, at each request.

usage: bench/switches.py [ROUNDS [SECONDS]]   (part of `make bench`)

Four servers take turns under wrk. CPU time is the kernel's, of all threads of the workers.
Windows follow each other; turns begin when two have ended, because workers to which
switches were too dear in both have no events from then on.

SPDX-License-Identifier: MIT
"""

import contextlib
import random
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from spread import Spread
from testenv import processes
from testenv.profiles import profile_files
from testenv.uwsgi import PYTHON_FIRST, WITHOUT_PROFILER, running

LIMIT = 0.03  # above what the second server without a profiler shows
CONNECTIONS = 8
WINDOW_S = 10
DEAR_WINDOWS = 2  # until events are given up (plugin/sample/switches.h)
GIVEN_UP = re.compile(r"perf events took")
ADDRESS = re.compile(r"bound to TCP address (127\.0\.0\.1:\d+)")

NOTHING = "nothing"
NOTHING_AGAIN = "nothing, too"
OURS = "ours"
OURS_WITH_EVENTS = "ours, events kept"  # a window that lasts until the end
CPU_WINDOWS = {
    "plugins": PYTHON_FIRST,
    "cloudprofiler_output_interval": WINDOW_S,
    "cloudprofiler_output_duration": WINDOW_S,
    "cloudprofiler_disable_wall_profiling": "true",
    "cloudprofiler_verbose": 2,
}
CONTENDERS = {
    NOTHING: {"plugins": WITHOUT_PROFILER},
    NOTHING_AGAIN: {"plugins": WITHOUT_PROFILER},
    OURS: CPU_WINDOWS | {"cloudprofiler_max_overhead": "1"},
    OURS_WITH_EVENTS: CPU_WINDOWS
    | {"cloudprofiler_output_interval": 600, "cloudprofiler_output_duration": 600},
}


def serve(server, seconds):
    """The number of requests that wrk made."""
    url = f"http://{server.wait_for_log(ADDRESS.pattern)[0]}/"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    return int(re.search(r"(\d+) requests in", said).group(1))


class Turn(NamedTuple):
    request_us: float  # CPU time, of all workers
    rate: float  # requests a second


def take_turn(server, pids, seconds):
    before_ns = sum(map(processes.cpu_ns, pids))
    requests = serve(server, seconds)
    used_ns = sum(map(processes.cpu_ns, pids)) - before_ns
    return Turn(used_ns / 1e3 / requests, requests / seconds)


def start_all(ends):
    addresses = ["%d/http.sock", "127.0.0.1:0"]
    return {
        name: ends.enter_context(running(app="trivial_wsgi", http_socket=addresses, **options))
        for name, options in CONTENDERS.items()
    }


def measure(servers, rounds, seconds):
    """Each server's turns, by rounds, and how many of its workers have given up their events."""
    found, pids = {name: [] for name in servers}, {}
    for name, server in servers.items():
        pids[name] = list(server.wait_for_workers(2).values())
    while len(profile_files(servers[OURS].profiles)) < DEAR_WINDOWS:
        serve(servers[OURS], 1)
    for _ in range(rounds):
        for name in random.sample(list(servers), len(servers)):
            found[name].append(take_turn(servers[name], pids[name], seconds))
    given_up = {name: len(GIVEN_UP.findall(server.log)) for name, server in servers.items()}
    return found, given_up


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with contextlib.ExitStack() as ends:
        found, given_up = measure(start_all(ends), rounds, seconds)
    print(f"a request of an app that does next to nothing, CPU windows, {rounds} turns each:")
    medians = {}
    for name, turns in found.items():
        pairs = zip(turns, found[NOTHING], strict=True)
        ratio = Spread.of([mine.request_us / nothing.request_us for mine, nothing in pairs])
        medians[name] = ratio.median
        print(
            f"  {name:18} {statistics.median(turn.rate for turn in turns):6.0f} a second, "
            f"{statistics.median(turn.request_us for turn in turns):6.1f} us of CPU time each, "
            f"over nothing {ratio.median:.3f} [{ratio.lower:.3f} {ratio.upper:.3f}]"
            + (f"; {given_up[name]} workers gave their events up" if given_up[name] else "")
        )
    above = medians[OURS] - medians[NOTHING_AGAIN]
    verdict = "within" if above <= LIMIT else "OVER"
    print(f"  ours above nothing, too: {above:+.3f}, {verdict} the limit of {LIMIT}")
    return int(above > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
