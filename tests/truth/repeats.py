"""Work that repeats exactly, in windows of a second: whether samples find its shares, and whether
the windows' shares are spread as chance alone spreads those of independent samples.

Eight workers share the processors, so that each window has eight sets of few samples.

SPDX-License-Identifier: MIT
"""

import math
import sys
from typing import NamedTuple

from finding import Finding
from testenv import bounds, known
from testenv.uwsgi import APPS, QUICK

sys.path.insert(0, str(APPS))
import truth

SPREAD = 1.2  # the sets' shares, compared with those of independent samples
WORKERS = 8
SAMPLES_MIN = 5  # of a set, so that it has a spread
SAMPLES_A_SET = 50  # at most, on average: the spread needs many sets
WINDOWS = 5  # read at a time


class Sets(NamedTuple):
    """What the windows found."""

    ns: dict  # by function, of all
    samples: int
    spreads: list  # of each set: the square of its shares' spread, in that of chance

    def share(self, name):
        return self.ns[name] / sum(self.ns.values())

    def spread(self):
        return math.sqrt(sum(self.spreads) / len(self.spreads))

    def spread_by_chance(self):
        """Each set's square is a chi-square of two degrees of freedom, halved: of variance 1."""
        return bounds.SIGMAS / (2 * math.sqrt(len(self.spreads)))


def spread_of(profile):
    """Pearson's chi-square of a set, by its degrees of freedom."""
    ns = {name: profile.ns_of(name, flat=True) for name in truth.SHARES}
    together = sum(ns.values())
    samples = sum(s.count for s in profile.samples if s.names()[:1] and s.names()[0] in ns)
    if samples < SAMPLES_MIN:
        return None
    shares = [(ns[name] / together, percent / 100) for name, percent in truth.SHARES.items()]
    return samples * sum((found - real) ** 2 / real for found, real in shares) / (len(shares) - 1)


class Repeats(NamedTuple):
    perf_events: bool
    work_ms: int
    period_ms: int

    @property
    def name(self):
        engine = "perf" if self.perf_events else "timer"
        return f"repeats-{self.work_ms}-at-{self.period_ms}-{engine}"

    def collect(self, server, reader, samples):
        ns = dict.fromkeys(truth.SHARES, 0)
        count, spreads = 0, []
        while count < samples or len(spreads) < samples / SAMPLES_A_SET:
            for path in server.wait_for_profiles(WINDOWS, seconds=120):
                profile = reader.read(path)
                ns = {name: ns[name] + profile.ns_of(name, flat=True) for name in ns}
                count += profile.total_count
                for worker in profile.label_values("worker"):
                    one = spread_of(profile.where(lambda s, w=worker: s.labels.get("worker") == w))
                    spreads += [one] if one is not None else []
        return Sets(ns, count, spreads)

    def measure(self, make, reader, samples):
        server = make(
            app="cycles",
            processes=WORKERS,
            enable_threads="true",
            env={"CYCLE_MS": str(self.work_ms)},
            cloudprofiler_period_ms=self.period_ms,
            cloudprofiler_output_keep=0,
            **QUICK,
        )
        try:
            known.start(server, self.perf_events)
            server.wait_for_profiles(2)  # they saw the workers' start
            found = self.collect(server, reader, samples)
            server.stop()
        finally:
            server.end()
        return found

    def judge(self, sets):
        bound = bounds.MODEL if self.perf_events else None
        findings = [
            Finding(f"{name} {sets.share(name):.3f}", sets.share(name) - percent / 100, bound)
            for name, percent in truth.SHARES.items()
        ]
        spread = sets.spread()
        bound = SPREAD + sets.spread_by_chance() if self.perf_events else None
        return [*findings, Finding(f"spread of {len(sets.spreads)} sets", spread, bound)]

    def run(self, make, reader, samples):
        sets = self.measure(make, reader, samples)
        return sets.samples, self.judge(sets)


CASES = [
    Repeats(perf_events, work_ms, period_ms)
    for perf_events in (True, False)
    for period_ms in (10, 3)
    for work_ms in (3, 5, 10, 20)
]
