"""Many busy processes under one budget of samples: whether the instance takes as many as it may,
whether shares and totals stay right, and whether more processes cost no more.

How busy a machine of 32 processors is cannot be had here. What is asked of the budget is the same
on two: a period so short that the samples would be too many even if other programs leave a quarter
of one processor alone.

SPDX-License-Identifier: MIT
"""

import bisect
import sys
import threading
import time
from typing import NamedTuple

from finding import Finding
from testenv import bounds, known, processes
from testenv.profiles import merged
from testenv.uwsgi import APPS

sys.path.insert(0, str(APPS))
import truth  # its shares; the app's own process has its own copy

MAX_SAMPLES = 200
PERIOD_MS = 1
SECONDS = 10  # a window
WARM_UP = 2  # windows until the load is up and the period is chosen by one that saw it whole
READ_S = 0.2  # between two readings of the clocks
RATE = 0.20
POINTS = 0.015
DEARER = 0.25


class Many(NamedTuple):
    """What so many processes gave and cost."""

    processes: int
    profile: object
    seconds: float  # of the windows
    samples: int
    period_ms: float  # the shortest of the windows
    off_total: float
    cost_s: float  # of the profiler's CPU time, a second


def _own_ns(profiles):
    """The profiler's CPU time in the workers, by its own books."""
    return sum(
        worker[key]
        for profile in profiles
        for worker in known.worker_accounts(profile)
        for key in ("ticker_cpu_ns", "handler_cpu_ns", "delivery_cpu_ns", "switch_cpu_ns")
        if key in worker
    )


def _busy(profile):
    """How many processors the workers used by this profile. On processors that are as busy as this
    a ticker ends its window late, and what was used until then is in it."""
    seconds = {
        worker["number"]: worker["sampling_ns"] / 1e9 for worker in known.worker_accounts(profile)
    }
    return sum(
        sample.ns / 1e9 / seconds[int(sample.labels["worker"])] for sample in profile.samples
    )


class _Clocks:
    """What workers and gateway have used by the kernel's clocks, read all the while: other programs
    leave the workers more at one time than at another, and between windows, too."""

    def __init__(self, server):
        self._workers = list(server.workers().values())
        self._tickers = [ticker for pid in self._workers for ticker in processes.tickers(pid)]
        self._gateway = server.gateway()
        self._points = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read_on)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_error):
        self._ended.set()
        self._thread.join()

    def _read_on(self):
        while not self._ended.wait(READ_S):
            used = sum(map(processes.cpu_ns, self._workers))
            used -= sum(ticker.cpu_ns() for ticker in self._tickers)
            self._points.append((time.time(), used / 1e9, processes.cpu_ns(self._gateway) / 1e9))

    def _at(self, unix_s, column):
        place = bisect.bisect(self._points, (unix_s,))
        before, behind = self._points[place - 1], self._points[place]
        part = (unix_s - before[0]) / (behind[0] - before[0])
        return before[column] + part * (behind[column] - before[column])

    def workers_s(self, profile):
        """In its window."""
        begin_s = profile.message.time_nanos / 1e9
        end_s = begin_s + profile.message.duration_nanos / 1e9
        return self._at(end_s, 1) - self._at(begin_s, 1)

    def gateway_part(self):
        first, last = self._points[0], self._points[-1]
        return (last[2] - first[2]) / (last[0] - first[0])


def measure(make, reader, count, windows):
    server = make(
        app="short_requests",  # the mix is whole many times in a window, in each of 64 processes
        processes=count,
        listen=100,
        cloudprofiler_period_ms=PERIOD_MS,
        cloudprofiler_max_samples=MAX_SAMPLES,
        cloudprofiler_max_overhead=1,
        cloudprofiler_disable_wall_profiling="true",  # looks have a pace of their own
        cloudprofiler_output_keep=0,
        cloudprofiler_output_interval=SECONDS,
        cloudprofiler_output_duration=SECONDS,
    )
    try:
        known.start(server, perf_events=True)
        server.wait_for_workers(count)
        with server.load("/truth", threads=count, seconds=600):
            server.wait_for_profiles(WARM_UP, seconds=120)
            with _Clocks(server) as clocks:
                server.wait_for_profiles()  # of a window that had begun before
                paths = server.wait_for_profiles(windows, seconds=60 * windows)
        server.stop()
    finally:
        server.end()
    profiles = [reader.read(path) for path in paths]
    lengths = [profile.message.duration_nanos / 1e9 for profile in profiles]
    seconds = sum(lengths)
    found_s = sum(_busy(profile) * s for profile, s in zip(profiles, lengths, strict=True))
    total = merged(profiles)
    return Many(
        processes=count,
        profile=total,
        seconds=seconds,
        samples=total.total_count,
        period_ms=min(profile.message.period for profile in profiles) / 1e6,
        off_total=found_s / sum(map(clocks.workers_s, profiles)) - 1,
        cost_s=_own_ns(profiles) / 1e9 / seconds + clocks.gateway_part(),
    )


def judge(many):
    rate = many.samples / many.seconds
    # A longer period is a whole number of milliseconds, and rather too long than too short.
    rounding = 1 / many.period_ms if rate < MAX_SAMPLES and many.period_ms > PERIOD_MS else 0
    yield Finding(
        f"{many.processes}: samples/s {rate:.0f}", rate / MAX_SAMPLES - 1, RATE + rounding
    )
    together = sum(many.profile.ns_of(name, flat=True) for name in truth.SHARES)
    for name, percent in truth.SHARES.items():
        off = many.profile.ns_of(name, flat=True) / together - percent / 100
        yield Finding(f"{many.processes}: {name}", off, POINTS)
    yield Finding(f"{many.processes}: total", many.off_total, bounds.MODEL)
    part = many.cost_s
    yield Finding(f"{many.processes}: profiler's CPU a second", part, None)


class Budget(NamedTuple):
    few: int = 16
    many: int = 64

    @property
    def name(self):
        return f"budget-{self.few}-{self.many}"

    def run(self, make, reader, samples):
        windows = max(1, round(3 * samples / (MAX_SAMPLES * SECONDS)))
        few, many = (measure(make, reader, count, windows) for count in (self.few, self.many))
        dearer = max(0.0, many.cost_s / few.cost_s - 1)
        return few.samples + many.samples, [
            *judge(few),
            *judge(many),
            Finding("more processes cost more by", dearer, DEARER),
        ]


CASES = [Budget()]
