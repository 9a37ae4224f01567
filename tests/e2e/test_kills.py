"""What is sampled is kept, whoever is killed.

SPDX-License-Identifier: MIT
"""

import os
import signal
import time

import pytest
from testenv import processes
from testenv.profiles import wall_file_of
from testenv.wait import wait_for

ENOUGH_CPU_NS = 300_000_000  # about 30 samples: their absence is no chance
HANG_S = 6
# Looks at a quiet worker are a quarter of its quiet time apart on average, at random.
HANG_SEEN_S = HANG_S / 6


@pytest.fixture
def server(uwsgi):
    """One worker, and one long window that is open."""
    running = uwsgi(processes=1, cloudprofiler_output_interval=60, cloudprofiler_output_duration=6)
    running.wait_for_window()
    return running


def burn_in_own_function(server):
    """Makes the present worker use CPU under its own name; returns that name."""
    pid = server.workers()[1]
    before = processes.cpu_ns_without_ticker(pid)

    def used_enough():
        server.get("/own?ms=50")
        return processes.cpu_ns_without_ticker(pid) - before > ENOUGH_CPU_NS

    wait_for(used_enough, "CPU time of the worker")
    assert server.workers()[1] == pid
    assert processes.timers(pid), "the window closed too early"
    return f"own_function_of_{pid}"


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not processes.is_alive(pid), f"the end of {pid}")


def own_ns(profile, function):
    found = profile.ns_of(function, flat=True)
    print(f"{function}: {found} ns of {profile.total_ns} in {profile.path.name}", profile.comments)
    return found


def test_a_killed_workers_samples_and_its_successors_are_in_one_profile(server, profile_reader):
    first = burn_in_own_function(server)
    kill(server.workers()[1])
    server.wait_for_log("Respawned uWSGI worker 1")
    server.wait_for_window()
    second = burn_in_own_function(server)

    profile = profile_reader.read(server.wait_for_first_profile())

    assert first != second
    assert own_ns(profile, first) > 0.6 * ENOUGH_CPU_NS
    assert own_ns(profile, second) > 0.6 * ENOUGH_CPU_NS


def test_a_killed_gateway_comes_back_and_the_windows_profile_is_written(server, profile_reader):
    before = burn_in_own_function(server)
    killed = server.gateway()
    kill(killed)
    assert burn_in_own_function(server) == before

    assert server.gateway() != killed
    profile = profile_reader.read(server.wait_for_first_profile())

    assert own_ns(profile, before) > 2 * 0.6 * ENOUGH_CPU_NS


def test_a_reload_in_mid_window_loses_no_sample(server, profile_reader):
    before = burn_in_own_function(server)
    server.reload_by_signal()
    server.wait_for_log(r"gracefully \(RE\)spawned uWSGI master")

    profile = profile_reader.read(server.wait_for_first_profile())
    server.wait_until_live()

    assert own_ns(profile, before) > 0.6 * ENOUGH_CPU_NS


def test_a_killed_workers_quiet_hang_is_in_the_wall_profile(uwsgi, profile_reader):
    server = uwsgi(
        app="stuck",
        processes=1,
        cloudprofiler_output_interval=HANG_S + 4,
        cloudprofiler_output_duration=HANG_S + 4,
    )
    server.wait_for_window()
    hung = server.workers()[1]

    with server.load("/sleep", threads=1):
        until = time.monotonic() + HANG_S
        wait_for(lambda: time.monotonic() > until, "the time of the hang")
        kill(hung)
    wall = profile_reader.read(wall_file_of(server.wait_for_first_profile()))

    print(wall.ns_of("sleep_for_ever"), wall.comments)
    assert HANG_SEEN_S <= wall.ns_of("sleep_for_ever") / 1e9 <= HANG_S + 4


def test_windows_go_on_after_every_kind_of_kill(uwsgi, profile_reader):
    server = uwsgi(processes=1)

    for victim in (server.workers()[1], server.gateway()):
        kill(victim)
        with server.some_work("/own?ms=10"):
            server.wait_for_log("Respawned uWSGI worker 1")
            server.wait_for_profiles()
            files = server.wait_for_profiles()
            name = f"own_function_of_{server.workers()[1]}"
        assert own_ns(profile_reader.read(files[-1]), name) > 0
