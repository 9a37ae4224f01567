"""The profile of an app whose profile is known.

CPROF_TRUTH_SAMPLES sets the number of samples aimed at.

SPDX-License-Identifier: MIT
"""

import math
import os
import sys
from typing import NamedTuple

import pytest
from testenv import bounds, known, processes
from testenv.profiles import Profile
from testenv.uwsgi import APPS

sys.path.insert(0, str(APPS))
import truth

SAMPLES = int(os.environ.get("CPROF_TRUTH_SAMPLES", "1200"))
PERIOD_S = 0.010
THREADS = 4
CORES = 2 * THREADS
# CPU seconds a second that the test can count on, on a machine that others load too.
CPUS = 1.2
QUIET_S = 3  # the window's rest, in which the last requests end


def workers_cpu_ns(server):
    return sum(processes.cpu_ns_without_ticker(pid) for pid in server.workers().values())


class Window(NamedTuple):
    profile: Profile
    cpu_ns: int  # of the workers, by the kernel
    failures: list


@pytest.fixture(scope="module")
def window(make_uwsgi_for_module, profile_reader):
    """One window into which all CPU time of the workers falls."""
    duration = math.ceil(SAMPLES * PERIOD_S / CPUS) + QUIET_S
    server = make_uwsgi_for_module(
        app="truth",
        threads=THREADS,
        cloudprofiler_output_interval=max(60, duration),
        cloudprofiler_output_duration=duration,
    ).start()
    server.wait_for_workers(2)
    server.wait_for_window()
    before = workers_cpu_ns(server)
    with server.load("/truth", threads=CORES, seconds=duration - QUIET_S) as load:
        load.join()
    assert all(processes.timers(pid) for pid in server.workers().values()), "outran the window"
    cpu_ns = workers_cpu_ns(server) - before
    profile = profile_reader.read(server.wait_for_first_profile())
    server.stop()
    return Window(profile, cpu_ns, load.failures)


def full_samples(profile):
    return [sample for sample in profile.samples if sample.names()[:1][0] in truth.SHARES]


def test_the_shares_of_three_functions_are_found(window):
    profile = window.profile

    assert not window.failures
    assert profile.total_count >= SAMPLES / 4, "the machine gave too little CPU to judge"
    for name, percent in truth.SHARES.items():
        truth_share = percent / 100
        found = profile.share(name, flat=True)
        print(f"{name}: {found:.4f} for {truth_share}, {profile.total_count} samples")
        assert abs(found - truth_share) <= bounds.share(truth_share, profile.total_count)


def test_sixty_frames_stand_in_their_order_on_their_lines(window):
    ladder = tuple(
        (f"f{number:02}", truth.LADDER_FILE, truth.rung_line(number))
        for number in reversed(range(truth.RUNGS))
    )

    samples = full_samples(window.profile)

    assert samples
    for sample in samples:
        names = sample.names()
        assert names[1] == truth.BELOW_RUNGS
        assert tuple(tuple(frame) for frame in sample.frames[2 : 2 + truth.RUNGS]) == ladder
        assert names[2 + truth.RUNGS :] == ("application",)


def test_every_thread_of_both_workers_is_sampled(window):
    profile = window.profile

    found = {
        (s.labels["worker"], s.labels["thread"]) for s in profile.samples if "thread" in s.labels
    }

    for worker in "12":
        for core in range(THREADS):
            assert (worker, f"uWSGIWorker{worker}Core{core}") in found


def test_the_comments_account_for_every_tick(window):
    profile = window.profile

    assert int(profile.comment("samples")) == profile.total_count
    assert profile.comment("log full") == "0"
    assert profile.comment("rejected records") == "0"
    assert int(profile.comment("missed nanoseconds")) <= 0.01 * window.cpu_ns


def test_the_total_is_the_workers_real_cpu_time(window):
    total, real = window.profile.total_ns, window.cpu_ns

    print(f"profile {total / 1e9:.3f} s, clocks {real / 1e9:.3f} s")
    assert abs(total - real) <= bounds.MODEL * real


def test_the_engines_raw_sum_is_near_the_real_cpu_time(window):
    profile, real = window.profile, window.cpu_ns
    raw = int(profile.comment("timer raw nanoseconds"))
    timer_is_alone = profile.comment("engine").startswith("timer")

    print(f"raw {raw / 1e9:.3f} s, clocks {real / 1e9:.3f} s")
    assert abs(raw - real) <= known.raw_bound(real, CORES, timer_is_alone) * real
