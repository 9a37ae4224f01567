"""The profile of an app whose profile is known.

CPROF_TRUTH_SAMPLES sets the number of samples aimed at.

SPDX-License-Identifier: MIT
"""

import os
import sys
import time
from typing import NamedTuple

import pytest
from testenv import bounds, known, processes
from testenv.endpoint import TOKEN, Endpoint
from testenv.profiles import Profile, merged
from testenv.uwsgi import APPS
from testenv.wait import wait_for

sys.path.insert(0, str(APPS))
import truth

SAMPLES = int(os.environ.get("CPROF_TRUTH_SAMPLES", "450"))
PERIOD_NS = 10_000_000
THREADS = 4
CORES = 2 * THREADS
LOAD_S = 5
QUIET_S = 5  # the window's rest, in which the last requests end


def workers_cpu_ns(server):
    return sum(processes.cpu_ns_without_ticker(pid) for pid in server.workers().values())


class Seen(NamedTuple):
    profile: Profile
    cpu_ns: int  # of the workers, by the kernel
    failures: list


def look(server, endpoint, reader, wanted_ns):
    """A window into which all CPU time of the workers falls, which is not much more than that."""
    server.wait_for_window(is_open=False)
    answer = endpoint.begin(f"/debug/pprof/profile?seconds={LOAD_S + QUIET_S}")
    server.wait_for_window()
    before = workers_cpu_ns(server)
    deadline = time.monotonic() + LOAD_S
    with server.load("/truth", threads=CORES, seconds=LOAD_S) as load:
        wait_for(
            lambda: workers_cpu_ns(server) - before > wanted_ns or time.monotonic() > deadline,
            "work for all samples, or the load's end",
        )
    assert all(processes.timers(pid) for pid in server.workers().values()), "outran the window"
    cpu_ns = workers_cpu_ns(server) - before
    path = server.directory / f"{before}.pb.gz"
    path.write_bytes(answer.getresponse().read())
    return Seen(reader.read(path), cpu_ns, load.failures)


@pytest.fixture(scope="module")
def windows(make_uwsgi_for_module, profile_reader):
    """As many as it takes until the workers had CPU time for all samples, on a machine that others
    load too."""
    server = make_uwsgi_for_module(
        app="truth",
        threads=THREADS,
        cloudprofiler_output_dir=None,
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_http_token=TOKEN,
    ).start()
    server.wait_for_workers(2)
    endpoint, seen, missing_ns = Endpoint(server), [], SAMPLES * PERIOD_NS
    while missing_ns > 0:
        seen.append(look(server, endpoint, profile_reader, missing_ns))
        missing_ns -= seen[-1].cpu_ns
    server.stop()
    return seen


@pytest.fixture(scope="module")
def profile(windows):
    return merged([window.profile for window in windows])


def full_samples(profile):
    return [sample for sample in profile.samples if sample.names()[:1][0] in truth.SHARES]


def test_the_shares_of_three_functions_are_found(windows, profile):
    assert not [failure for window in windows for failure in window.failures]
    for name, percent in truth.SHARES.items():
        truth_share = percent / 100
        found = profile.share(name, flat=True)
        print(f"{name}: {found:.4f} for {truth_share}, {profile.total_count} samples")
        assert abs(found - truth_share) <= bounds.share(truth_share, profile.total_count)


def test_sixty_frames_stand_in_their_order_on_their_lines(profile):
    ladder = tuple(
        (f"f{number:02}", truth.LADDER_FILE, truth.rung_line(number))
        for number in reversed(range(truth.RUNGS))
    )

    samples = full_samples(profile)

    assert samples
    for sample in samples:
        names = sample.names()
        assert names[1] == truth.BELOW_RUNGS
        assert tuple(tuple(frame) for frame in sample.frames[2 : 2 + truth.RUNGS]) == ladder
        assert names[2 + truth.RUNGS :] == ("application",)


def test_every_thread_of_both_workers_is_sampled(profile):
    found = {
        (s.labels["worker"], s.labels["thread"]) for s in profile.samples if "thread" in s.labels
    }

    for worker in "12":
        for core in range(THREADS):
            assert (worker, f"uWSGIWorker{worker}Core{core}") in found


def test_the_comments_account_for_every_tick(windows):
    for profile, cpu_ns, _ in windows:
        assert int(profile.comment("samples")) == profile.total_count
        assert profile.comment("log full") == "0"
        assert profile.comment("rejected records") == "0"
        assert int(profile.comment("missed nanoseconds")) <= 0.01 * cpu_ns


def test_the_total_is_the_workers_real_cpu_time(windows):
    for profile, real, _ in windows:
        print(f"profile {profile.total_ns / 1e9:.3f} s, clocks {real / 1e9:.3f} s")
        assert abs(profile.total_ns - real) <= bounds.MODEL * real


def test_the_engines_raw_sum_is_near_the_real_cpu_time(windows):
    for profile, real, _ in windows:
        raw = int(profile.comment("timer raw nanoseconds"))
        timer_is_alone = profile.comment("engine").startswith("timer")

        print(f"raw {raw / 1e9:.3f} s, clocks {real / 1e9:.3f} s")
        assert abs(raw - real) <= known.raw_bound(real, CORES, timer_is_alone) * real
