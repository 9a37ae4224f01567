"""The tag `gil`: what a thread had of the interpreter's lock.

SPDX-License-Identifier: MIT
"""

import pytest
from testenv import bounds
from testenv.checks import windows_until
from testenv.profiles import wall_file_of
from testenv.uwsgi import QUICK

TRUTH = {"hold": "held", "want": "waiting", "listen": "released"}
# How much of each the profiles have at least: a busy machine leaves the one that burns little of a
# window.
SEEN_NS_MIN = 300_000_000


def by_gil(profile, name):
    """Time by what the threads that run `name` had of the lock, which is the same almost all the
    time, the rest being the turn that each takes; and how many samples there are. Run-queue time
    is left out: it stands on the few stacks that a waiting thread has on the CPU, and how much
    there is of it is the machine's affair."""
    sums, count = {}, 0
    for sample in profile.samples:
        if name in sample.names() and sample.labels.get("state") != "runnable":
            gil = sample.labels.get("gil")
            sums[gil] = sums.get(gil, 0) + sample.ns
            count += sample.count
    return sums, count


@pytest.fixture(scope="module")
def profiles(make_uwsgi_for_module, profile_reader):
    """The CPU profile and the wall profile of windows in which all threads ran."""
    server = make_uwsgi_for_module(
        app="lock_holders",
        processes=1,
        enable_threads="true",
        # The end of a process waits for the thread that keeps the lock.
        worker_reload_mercy=2,
        **QUICK,
    ).start()
    server.get("/start")

    def are_seen(cpu, wall):
        found = [by_gil(cpu, "hold"), *(by_gil(wall, name) for name in TRUTH)]
        return all(sum(sums.values()) > SEEN_NS_MIN for sums, _count in found)

    found = windows_until(are_seen, "enough of each thread", server, profile_reader)
    server.stop()  # its threads never rest
    return found


@pytest.mark.parametrize("name", TRUTH)
def test_the_tag_is_right_in_wall_profiles(profiles, name):
    sums, count = by_gil(profiles[1], name)

    assert sums.get(TRUTH[name], 0) >= bounds.nearly_all(count) * sum(sums.values()), sums


def test_the_tag_is_right_in_cpu_profiles(profiles):
    sums, count = by_gil(profiles[0], "hold")

    assert sums["held"] >= bounds.nearly_all(count) * sum(sums.values()), sums


def test_a_thread_that_sleeps_with_the_lock_holds_it(uwsgi, profile_reader):
    server = uwsgi(app="native_burn", processes=1)
    with server.load("/nap", threads=1):
        server.wait_for_profiles()
        wall = wall_file_of(server.wait_for_profiles()[0])
    profile = profile_reader.read(wall)
    asleep = profile.where(lambda s: s.labels["state"] == "sleep")

    assert asleep.total_ns > 0.5e9
    assert asleep.label_values("gil") == {"held"}


def test_a_tag_that_is_not_asked_for_is_not_there(uwsgi, profile_reader):
    server = uwsgi(app="native_burn", processes=1, cloudprofiler_tag=["worker", "thread"], **QUICK)
    with server.some_work("/pure"):
        server.wait_for_profiles()
        profile = profile_reader.read(server.wait_for_profiles()[0])

    assert profile.label_values("gil") == {None}
