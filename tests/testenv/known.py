"""A window into which all the CPU time of a server falls, and what is known about it from
elsewhere: by the kernel's clocks, and by the app's own account.

SPDX-License-Identifier: MIT
"""

import json
import math
import re
import time
from typing import NamedTuple

from . import bounds, processes
from .profiles import Profile
from .seccomp import without_perf_events
from .wait import wait_for

PERIOD_S = 0.010
SUMS_NEED = 0.2  # of the samples that shares need
TIMER_SLOWDOWN = 4  # of a thread that has a perf event
QUIET_S = 2  # the window's rest, in which the last requests end
UNNOTICED_S = 0.01
START_S = 1  # from the window's start until the load is up, at most
# Intervals of the timer are spread evenly over 0.5 to 1.5 periods: their standard deviation.
INTERVAL_DEVIATION = 1 / math.sqrt(12)


class Form(NamedTuple):
    processes: int
    threads: int

    def connections(self):
        return self.processes * self.threads


class Known(NamedTuple):
    form: Form
    profile: Profile
    cpu_ns: int  # of the workers over the window, by the kernel
    requests: int
    seconds: float  # of load
    workers: list  # a dict of what the comments say of each
    before: dict  # the first and the last answer of each worker that answers JSON, by its pid
    after: dict

    def timer_is_alone(self):
        return self.profile.comment("engine").startswith("timer")

    def total_error(self):
        """How far the profile's total is from the real CPU time, as a part of it."""
        return self.profile.total_ns / self.cpu_ns - 1

    def total_bound(self):
        """The model's, and what the workers used in the window before that was noticed."""
        return bounds.MODEL + UNNOTICED_S * 1e9 / self.cpu_ns

    def raw_error(self):
        """The same for the timers' own sum, before it is reconciled with any clock."""
        return int(self.profile.comment("timer raw nanoseconds")) / self.cpu_ns - 1

    def raw_bound(self):
        """The interval that was under way in each thread when the window ended is missing."""
        return raw_bound(self.cpu_ns, self.form.connections(), self.timer_is_alone())

    def sum_of(self, key):
        return sum(worker.get(key, 0) for worker in self.workers)

    def tick_error(self):
        """How far ticks taken and lost are from what the clocks and the period promise."""
        found = self.sum_of("timer_ticks") + self.sum_of("missed_lost")
        return found / self.sum_of("expected_timer_ticks") - 1

    def tick_bound(self):
        """The model's, and what chance does to the sum of so few random intervals."""
        ticks = self.sum_of("expected_timer_ticks")
        return bounds.MODEL + bounds.chance_of_intervals(ticks, INTERVAL_DEVIATION)

    def unaccounted(self):
        """Ticks that are neither samples nor misses. With perf events the timer's ticks behind
        no system call are neither, on purpose."""
        ticks = self.sum_of("timer_ticks") + self.sum_of("perf_ticks")
        missed = sum(map(missed_ticks, self.workers))
        return ticks - missed - self.sum_of("samples")

    def shares(self, names):
        """The parts that the functions have of what they have together, by their own frames."""
        found = {name: self.profile.ns_of(name, flat=True) for name in names}
        together = sum(found.values())
        return {name: ns / together for name, ns in found.items()}

    def own_part(self, key):
        """The growth of a sum that the app keeps, over all workers."""
        return sum(self.after[pid][key] - self.before[pid][key] for pid in self.after)


def raw_bound(cpu_ns, cut_intervals, timer_is_alone):
    """The model's, what chance does to the sum of so few random intervals, and some intervals that
    the ends of the window cut."""
    interval_ns = 1e9 * PERIOD_S * (1 if timer_is_alone else TIMER_SLOWDOWN)
    chance = bounds.chance_of_intervals(cpu_ns / interval_ns, INTERVAL_DEVIATION)
    return bounds.MODEL + chance + cut_intervals * interval_ns / cpu_ns


def missed_ticks(worker):
    """The ticks of one of worker_accounts() that came to a handler and made no sample."""
    reasons = ("entry", "starting", "unreadable", "contexts", "stack")
    return sum(worker.get(f"missed_{reason}", 0) for reason in reasons)


def worker_accounts(profile):
    """The comments 'worker N: key=value ...', as dicts of integers; N is the number."""
    lines = [line for line in profile.comments if re.match(r"worker \d+:", line)]
    return [
        {"number": int(line.split()[1].rstrip(":"))}
        | {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}
        for line in lines
    ]


def _workers_cpu_ns(server):
    return sum(processes.cpu_ns_without_ticker(pid) for pid in server.workers().values())


def _sums_by_pid(bodies, choose):
    """The first or the last answer of each worker: its sums only grow."""
    by_pid = {}
    for body in bodies:
        sums = json.loads(body)
        by_pid.setdefault(sums["pid"], []).append(sums)
    return {
        pid: choose(found, key=lambda one: one["ru_utime"] + one["ru_stime"])
        for pid, found in by_pid.items()
    }


def make_server(make, app, form, seconds, **options):
    """A server whose first window is long enough for `seconds` of load."""
    duration = math.ceil(START_S + seconds + QUIET_S)
    return make(
        app=app,
        processes=form.processes,
        threads=form.threads if form.threads > 1 else None,
        cloudprofiler_output_interval=max(60, 2 * duration),
        cloudprofiler_output_duration=duration,
        **options,
    )


def start(server, perf_events):
    """Starts it, on a kernel that allows perf events or refuses them."""
    if perf_events:
        server.launch()
    else:
        without_perf_events(server.launch)
    server.wait_until_live()


def measure(server, reader, path, form, seconds, enough_cpu_ns=math.inf):
    """Loads a started server for `seconds`, or until its workers have used so much CPU time, with
    a connection for each thread of it, and reads the window in which that was."""
    server.wait_for_workers(form.processes)
    server.wait_for_window()
    before_ns = _workers_cpu_ns(server)
    end = time.monotonic() + seconds
    with server.load(path, threads=form.connections(), seconds=seconds) as load:
        wait_for(
            lambda: _workers_cpu_ns(server) - before_ns >= enough_cpu_ns or time.monotonic() >= end,
            "the end of the load",
            seconds + QUIET_S,
        )
    assert all(processes.timers(pid) for pid in server.workers().values()), "outran the window"
    cpu_ns = _workers_cpu_ns(server) - before_ns
    assert not load.failures, load.failures[:3]
    profile = reader.read(server.wait_for_first_profile())
    keeps_sums = all(body.startswith(b"{") for body in load.bodies)
    return Known(
        form=form,
        profile=profile,
        cpu_ns=cpu_ns,
        requests=load.done,
        seconds=seconds,
        workers=worker_accounts(profile),
        before=_sums_by_pid(load.bodies, min) if keeps_sums else {},
        after=_sums_by_pid(load.bodies, max) if keeps_sums else {},
    )
