"""What `make truth` measures, and how far off each figure may be.

With the 10,000 samples of the default, or more, the bounds of shares are the points below. Who
asks for fewer gets what chance alone may do, where that is more. A case that does not reach the
samples asked for is broken.

SPDX-License-Identifier: MIT
"""

import sys
from typing import NamedTuple

import budget
import crowds
import repeats
import routes
from finding import Finding
from testenv import bounds, known
from testenv.known import Form
from testenv.uwsgi import APPS

sys.path.insert(0, str(APPS))
import truth  # its shares; the app's own process has its own copy

DEFAULT_SAMPLES = 10_000
POINTS_WITH_PERF = 0.02
POINTS_WITHOUT = 0.05  # where processors are not saturated
POINTS_OF_KERNEL = 0.03


MARGIN = 1.1  # of the time of load, so that chance does not make the samples too few

USER_PART = "stay_in_user_mode"


class Case(NamedTuple):
    name: str
    app: str
    form: Form
    perf_events: bool
    cpus: float  # CPU seconds a second that the workers get, as a first guess
    judge_shares: object
    points: float | None  # bound of the shares; None: no share is judged

    def wanted(self, samples):
        """How many of the samples this case needs: sums need fewer than shares."""
        return samples if self.judge_shares is not no_shares else samples * known.SUMS_NEED

    def lacking(self, result, samples):
        """By how much the samples are too few, as a part of those wanted."""
        return max(0.0, 1 - result.profile.total_count / self.wanted(samples))

    def seconds(self, samples):
        return MARGIN * self.wanted(samples) * known.PERIOD_S / self.cpus

    def seconds_after(self, result, samples):
        """How long the load must be, by a result that has too few samples."""
        found = max(1, result.profile.total_count)
        return MARGIN * result.seconds * self.wanted(samples) / found

    def bound(self, share, result, samples):
        if self.points is None or samples >= DEFAULT_SAMPLES:
            return self.points
        return self.points + bounds.chance(share, result.profile.total_count)

    def judge(self, result, samples):
        findings = [
            Finding("total", result.total_error(), result.total_bound()),
            Finding("timer raw", result.raw_error(), result.raw_bound()),
            Finding("ticks", result.tick_error(), result.tick_bound()),
            Finding("samples lacking", self.lacking(result, samples), 0.0),
        ]
        if self.perf_events:
            findings.append(Finding("all raw", engines_error(result), result.raw_bound()))
        return self.judge_shares(self, result, samples) + findings


def engines_error(result):
    """What is raw of both engines together, as raw_error() of the timer's alone."""
    keys = ("perf user", "system call", "kernel elsewhere")
    found = sum(int(result.profile.comment(f"{key} nanoseconds")) for key in keys)
    return found / result.cpu_ns - 1


def short_shares(case, result, samples):
    found = result.shares(truth.SHARES)
    return [
        Finding(
            f"{name} {found[name]:.3f}", found[name] - share, case.bound(share, result, samples)
        )
        for name, percent in truth.SHARES.items()
        for share in [percent / 100]
    ]


def kernel_shares(case, result, samples):
    """The kernel part's share, by the app's own clocks; and, where the engines tell kernel time
    from user time, that time by getrusage."""
    name = "read_and_write" if case.app == "kernel_mix" else "touch_fresh_pages"
    parts = {key: result.own_part(f"{key}_part_ns") for key in ("user", "kernel")}
    real = parts["kernel"] / sum(parts.values())
    found = result.shares((name, USER_PART))[name]
    findings = [Finding(f"{name} {found:.3f}", found - real, case.bound(real, result, samples))]
    if case.perf_events:
        kernel_ns = result.sum_of("system_call_ns") + result.sum_of("kernel_elsewhere_ns")
        system_s, user_s = result.own_part("ru_stime"), result.own_part("ru_utime")
        found = kernel_ns / result.sum_of("cpu_clock_ns")
        real = system_s / (system_s + user_s)
        bound = case.bound(real, result, samples)
        findings.append(Finding(f"kernel time {found:.3f}", found - real, bound))
    return findings


def no_shares(_case, _result, _samples):
    return []


def _both_engines(name, app, form, cpus, judge_shares, points, points_without):
    for perf_events, suffix in ((True, "perf"), (False, "timer")):
        yield Case(
            f"{name}-{suffix}",
            app,
            form,
            perf_events,
            cpus,
            judge_shares,
            points if perf_events else points_without,
        )


def _cases():
    short = ("short_requests", short_shares, POINTS_WITH_PERF)
    for name, form, cpus, points_without in (
        ("short-1x1", Form(1, 1), 0.8, POINTS_WITHOUT),
        ("short-2x1", Form(2, 1), 1.6, None),
        ("short-4x1", Form(4, 1), 1.7, None),
        # One processor's worth of work: the threads take turns with the interpreter's lock.
        ("short-1x4", Form(1, 4), 0.9, POINTS_WITHOUT),
    ):
        app, judge_shares, points = short
        yield from _both_engines(name, app, form, cpus, judge_shares, points, points_without)
    for name, app in (("reads-and-writes", "kernel_mix"), ("fresh-pages", "fresh_pages")):
        yield from _both_engines(
            name, app, Form(2, 1), 1.6, kernel_shares, POINTS_OF_KERNEL, POINTS_OF_KERNEL
        )
    yield from _both_engines("trivial", "trivial", Form(2, 1), 0.2, no_shares, None, None)


KNOWN_CASES = list(_cases())
CASES = [*KNOWN_CASES, *repeats.CASES, *crowds.CASES, *routes.CASES, *budget.CASES]
