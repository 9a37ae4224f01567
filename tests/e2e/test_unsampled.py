"""CPU time that could not be sampled is said to be so, not booked on other code.

SPDX-License-Identifier: MIT
"""

import sys

from testenv import bounds, known
from testenv.profiles import wall_file_of
from testenv.uwsgi import APPS

sys.path.insert(0, str(APPS))
import brief_threads

FORM = known.Form(processes=1, threads=1)
SECONDS = 5
FOUND_S = 0.25  # within which threads are found where they come and go: see README.md


def test_threads_too_short_to_be_sampled_do_not_change_the_shares_of_others(
    make_uwsgi, profile_reader
):
    server = known.make_server(make_uwsgi, "short_threads", FORM, SECONDS, enable_threads="true")
    known.start(server, perf_events=True)

    result = known.measure(server, profile_reader, "/mix", FORM, SECONDS)

    profile, samples = result.profile, result.profile.total_count
    used_ns = 1e9 * (result.own_part("ru_utime") + result.own_part("ru_stime"))
    used_ns -= result.sum_of("ticker_cpu_ns")
    main_thread = result.own_part("main_thread_ns") / used_ns
    spun = result.own_part("spin_main_ns") / used_ns
    # Of a thread that was met in its millisecond, all frames are below this one.
    short = profile.share("[unsampled]") + profile.share("_bootstrap")
    print(f"spin_main {profile.share('spin_main'):.4f}, in truth {spun:.4f}, {samples} samples")
    print(f"short threads {short:.4f}, in truth {1 - main_thread:.4f}")
    assert abs(profile.share("spin_main") - spun) <= bounds.share(spun, samples)
    # That is known from clocks, not from samples.
    assert abs(short - (1 - main_thread)) <= bounds.MODEL


def test_threads_that_follow_each_other_are_found_soon_in_a_worker_that_does_little(
    make_uwsgi, profile_reader
):
    server = make_uwsgi(
        app="brief_threads",
        processes=1,
        enable_threads="true",
        cloudprofiler_period_ms=1,
        cloudprofiler_max_overhead=0.1,  # so little that scans are as rare as they may be
        cloudprofiler_disable_wall_profiling="true",
        cloudprofiler_output_interval=SECONDS,
        cloudprofiler_output_duration=SECONDS,
    ).start()

    with server.load("/", threads=1) as load:
        profile = profile_reader.read(server.wait_for_profiles(2)[-1])
    (worker,) = known.worker_accounts(profile)

    assert not load.failures
    used = worker["cpu_clock_ns"] / worker["sampling_ns"]
    print(f"used {used:.3f} of a processor, unsampled {profile.share('[unsampled]'):.3f}")
    assert used < 0.25, "it is searched often in any case"
    # Nor is known what a thread used between the last search that found it and its end.
    assert profile.share("[unsampled]") <= 2 * FOUND_S / brief_threads.LIFE_S


def test_a_thread_that_gets_no_timer_is_named_and_its_wall_time_seen(make_uwsgi, profile_reader):
    server = make_uwsgi(
        app="waits",
        launcher=("prlimit", "--sigpending=0"),
        processes=1,
        cloudprofiler_output_interval=2,
        cloudprofiler_output_duration=2,
    ).start()

    with server.load("/", threads=1) as load:
        cpu = server.wait_for_profiles(2)[-1]
    wall = profile_reader.read(wall_file_of(cpu))

    assert not load.failures
    [warning] = server.our_warnings
    assert "(uWSGIWorker1Core0) gets no timer" in warning
    asleep = wall.where(lambda sample: sample.labels["state"] == "sleep")
    waited_for_cpu_ns = wall.by_state().get("runnable", 0)
    assert asleep.total_ns > bounds.MAJORITY * (wall.total_ns - waited_for_cpu_ns)
    assert asleep.ns_of("nap") == asleep.total_ns
    assert profile_reader.read(cpu).functions() == {"[unsampled]"}
