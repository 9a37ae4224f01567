"""CPU time that many threads use, each of them a little: whether it has as many samples as that of
few busy threads, and whether next to nothing of it is [unsampled].

SPDX-License-Identifier: MIT
"""

import math
from typing import NamedTuple

from finding import Finding
from testenv import bounds, known
from testenv.profiles import merged
from testenv.uwsgi import QUICK

RATE = 0.10  # by which the samples a CPU second may be off
SECONDS = 4  # a window
WINDOWS = 4  # read at a time
CLIENTS_MAX = 64
BURSTS_MS = 6  # of a thread in a window


class Crowd(NamedTuple):
    perf_events: bool
    processes: int
    threads: int
    bursts: bool  # of threads of the app, else requests

    @property
    def name(self):
        engine = "perf" if self.perf_events else "timer"
        kind = "bursts" if self.bursts else "requests"
        return f"{kind}-{self.processes}x{self.threads}-{engine}"

    def server(self, make):
        how = {
            "processes": self.processes,
            "cloudprofiler_output_keep": 0,
            **QUICK,
            "cloudprofiler_output_duration": SECONDS,
            "cloudprofiler_output_interval": SECONDS,
        }
        if self.bursts:
            env = {"THREADS": str(self.threads), "BURST_MS": str(BURSTS_MS / SECONDS)}
            return make(app="bursts", enable_threads="true", env=env, **how)
        threads = self.threads if self.threads > 1 else None
        return make(app="short_requests", threads=threads, **how)

    def collect(self, server, reader, samples):
        server.wait_for_profiles(2)  # they saw the start
        found = merged([])
        while not self.is_enough(found, samples):
            paths = server.wait_for_profiles(WINDOWS, seconds=120)
            found = merged([found, *(reader.read(path) for path in paths)])
        return found

    @staticmethod
    def is_enough(profile, samples):
        """Sums need fewer samples than shares. Where too few are taken, time tells."""
        wanted = samples * known.SUMS_NEED
        return profile.total_count >= wanted or profile.total_ns >= wanted * known.PERIOD_S * 1e9

    def measure(self, make, reader, samples):
        server = self.server(make)
        try:
            known.start(server, self.perf_events)
            if self.bursts:
                found = self.collect(server, reader, samples)
            else:
                clients = min(CLIENTS_MAX, self.processes * self.threads)
                with server.load("/truth", threads=clients, seconds=600):
                    found = self.collect(server, reader, samples)
            server.stop()
        finally:
            server.end()
        return found

    def run(self, make, reader, samples):
        found = self.measure(make, reader, samples)
        wanted = found.total_ns / 1e9 / known.PERIOD_S
        rate = found.total_count / wanted
        return found.total_count, [
            Finding(
                f"samples a CPU second {found.total_count / (found.total_ns / 1e9):.1f}",
                rate - 1,
                RATE + bounds.SIGMAS / math.sqrt(wanted),
            ),
            Finding("[unsampled]", found.share("[unsampled]"), bounds.UNSAMPLED),
        ]


CASES = [
    Crowd(perf_events, processes, threads, bursts)
    for perf_events in (True, False)
    for processes, threads, bursts in (
        (2, 1, False),
        (16, 4, False),
        (64, 8, False),
        (1, 100, True),
        (1, 512, True),
    )
]
