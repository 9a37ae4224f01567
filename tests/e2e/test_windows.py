"""Windows that overlap: each profile holds what was used while its own window was open.

The gateway is one of the test's own (tests/unit/windows_gateway.c), with the product's windows in
it: it opens a second window, of half the period, when it is told to.

SPDX-License-Identifier: MIT
"""

import os
import re
import shutil
import signal
import time

import pytest
from testenv import bounds, known, processes
from testenv.build import GATEWAY, SOURCE
from testenv.gateway import wrap_gateway
from testenv.profiles import profile_files, wall_file_of
from testenv.wait import wait_for

WINDOW_S = 8
LOADED_S = 4  # each window under load from its start to its end, in which clients
REST_S = 0.005  # rest behind each answer
# Of load. The second window ends so long behind the first that the last one fits in between.
FIRST_S, BOTH_S, SECOND_S = 3.5, 2.0, 1.5
WORKERS = 2
# Between a worker's look at a thread and its clock of the window, the ticker's waits for a CPU
# left out.
LOOK_S = 0.1


@pytest.fixture
def start(make_uwsgi, workspace):
    """Starts a server whose first window is open; see windows_gateway.c for its environment."""
    directory = workspace / f"windows-{os.getpid()}-{time.monotonic_ns()}"
    directory.mkdir(mode=0o755)
    shutil.copy2(SOURCE / "build" / "unit" / "windows_gateway", directory / GATEWAY)

    def start(window_s=WINDOW_S, **env):
        running = make_uwsgi(
            processes=WORKERS,
            cloudprofiler_gateway_binary=wrap_gateway(directory, **env),
            cloudprofiler_output_interval=60,
            cloudprofiler_output_duration=window_s,
        ).start()
        running.wait_for_workers(WORKERS)
        running.wait_for_window()
        return running

    return start


def open_second_window(server):
    os.kill(server.gateway(), signal.SIGUSR1)
    server.wait_for_log(r"window 2 opens for")


def cpu_ns(server):
    return sum(processes.cpu_ns_without_ticker(pid) for pid in server.workers().values())


def burn(server, path, seconds):
    """CPU time that the workers used for so long a load, and that they have slept since."""
    before_ns = cpu_ns(server)
    with server.load(path, threads=WORKERS, seconds=seconds) as load:
        load.join()
    assert not load.failures, load.failures[:3]
    return cpu_ns(server) - before_ns


def own_functions(server):
    return {f"own_function_of_{pid}" for pid in server.workers().values()}


def read_both(server, reader, kind="cpu"):
    """The profiles of both windows, the first one first."""
    files = wait_for(
        lambda: found if len(found := profile_files(server.profiles)) == 2 else None,
        "two profiles",
    )
    return [reader.read(wall_file_of(path) if kind == "wall" else path) for path in files]


def raw_error(profile):
    """How far the timers' own sum is from the clocks, both of the window's part of the logs."""
    raw_ns = int(profile.comment("timer raw nanoseconds"))
    return raw_ns / int(profile.comment("cpu clock nanoseconds")) - 1


def raw_bound(profile):
    """Each worker has an interval at each end that the window cuts."""
    timer_is_alone = profile.comment("engine").startswith("timer")
    cpu_ns = int(profile.comment("cpu clock nanoseconds"))
    return known.raw_bound(cpu_ns, 2 * WORKERS, timer_is_alone)


def ticker_waits_s(server):
    """How long the ticker of each worker, in their order, has waited for a CPU."""
    workers = sorted(server.workers().items())
    return [sum(ticker.run_queue_s() for ticker in processes.tickers(pid)) for _, pid in workers]


def check_wall_clock(wall, other, waits_s):
    """Each worker's one thread was followed as long as the worker sampled; and that was this
    window's time and not the other one's, whose start is the lead away. Where the machine lets
    a worker's ticker wait, it comes late to a window's start and its end by that much."""
    lead_s = abs(wall.message.time_nanos - other.message.time_nanos) / 1e9
    for account, wait_s in zip(known.worker_accounts(wall), waits_s, strict=True):
        sampled_s, wall_s = account["sampling_ns"] / 1e9, account["wall_clock_ns"] / 1e9
        print(f"sampled {sampled_s:.4f} s, wall clock {wall_s:.4f} s, waited {wait_s:.4f} s")
        assert abs(wall_s - sampled_s) <= LOOK_S + wait_s
        assert abs(sampled_s - LOADED_S) <= lead_s / 2


def test_each_of_two_windows_has_the_time_of_its_own(start, profile_reader):
    server = start()
    first_ns = burn(server, "/own?ms=20", FIRST_S)
    open_second_window(server)
    both_ns = burn(server, "/nested?ms=20", BOTH_S)
    assert not profile_files(server.profiles), "outran the first window"
    wait_for(lambda: profile_files(server.profiles), "the first profile")
    second_ns = burn(server, "/burn?ms=20", SECOND_S)
    assert len(profile_files(server.profiles)) == 1, "outran the second window"

    first, second = read_both(server, profile_reader)

    own = own_functions(server)
    print(f"first {first.total_ns / (first_ns + both_ns) - 1:+.4f}, raw {raw_error(first):+.4f}")
    error = second.total_ns / (both_ns + second_ns) - 1
    print(f"second {error:+.4f}, raw {raw_error(second):+.4f}")
    unnoticed_ns = 1e9 * known.UNNOTICED_S
    for profile, ns in ((first, first_ns + both_ns), (second, both_ns + second_ns)):
        assert abs(profile.total_ns / ns - 1) <= bounds.MODEL + unnoticed_ns / ns
        assert abs(raw_error(profile)) <= raw_bound(profile)
        assert profile.comment("rejected records") == "0"
    assert own <= first.functions() and "inner" in first.functions()
    assert first.ns_of("burn") == pytest.approx(first.ns_of("inner"), rel=0.01)
    assert not own & second.functions() and "inner" in second.functions()
    part = second.ns_of("inner") / second.ns_of("burn")
    truth = both_ns / (both_ns + second_ns)
    assert abs(part - truth) <= bounds.share(truth, second.total_count)


def test_windows_that_open_and_end_under_load_agree_with_their_clocks(start, profile_reader):
    server = start(window_s=LOADED_S)
    with server.load("/burn?ms=5", threads=WORKERS, rest_s=REST_S) as load:
        load.wait_for_requests(200)
        open_second_window(server)
        first, second = read_both(server, profile_reader)
    assert not load.failures, load.failures[:3]
    walls = read_both(server, profile_reader, "wall")
    waits_s = ticker_waits_s(server)

    for profile, wall, other in zip((first, second), walls, reversed(walls), strict=True):
        print(f"raw {raw_error(profile):+.4f}")
        assert abs(raw_error(profile)) <= raw_bound(profile)
        check_wall_clock(wall, other, waits_s)
        assert all(
            re.search(r"samples=[1-9]", line)
            for line in profile.comments
            if line.startswith("worker ")
        )


@pytest.mark.parametrize("kinds", ["12", "21"])
def test_windows_of_different_kinds_take_their_own_alone(start, profile_reader, kinds):
    server = start(window_s=LOADED_S, CPROF_TEST_KINDS=kinds)
    with server.load("/burn?ms=5", threads=WORKERS, rest_s=REST_S) as load:
        load.wait_for_requests(200)
        open_second_window(server)
        cpu_path = wait_for(lambda: profile_files(server.profiles), "the CPU profile")[0]
        wall_path = wait_for(lambda: profile_files(server.profiles, "wall"), "the wall profile")[0]
    assert not load.failures, load.failures[:3]
    cpu, wall = profile_reader.read(cpu_path), profile_reader.read(wall_path)

    print(f"raw {raw_error(cpu):+.4f}, {raw_error(wall):+.4f}")
    assert abs(raw_error(cpu)) <= raw_bound(cpu)
    assert abs(raw_error(wall)) <= raw_bound(wall)
    check_wall_clock(wall, cpu, ticker_waits_s(server))


def test_a_window_behind_one_that_is_not_delivered_yet_has_its_own_time(start, profile_reader):
    server = start(window_s=4, CPROF_TEST_KEEP="1")
    first_ns = burn(server, "/own?ms=20", BOTH_S)
    wait_for(lambda: profile_files(server.profiles), "the first profile")
    server.wait_for_window(is_open=False)
    open_second_window(server)
    workers = server.workers().values()
    wait_for(lambda: all(processes.timers(pid) for pid in workers), "all workers in the window")
    second_ns = burn(server, "/nested?ms=20", SECOND_S)

    first, second = read_both(server, profile_reader)

    for profile, ns in ((first, first_ns), (second, second_ns)):
        print(f"total {profile.total_ns / ns - 1:+.4f}")
        assert abs(profile.total_ns / ns - 1) <= bounds.MODEL + 1e9 * known.UNNOTICED_S / ns
    assert not own_functions(server) & second.functions() and "inner" in second.functions()
