"""Mules are profiled, each as a slot of its own.

SPDX-License-Identifier: MIT
"""

import os
import re
import signal

import pytest
from testenv.checks import assert_own_slot, windows_until
from testenv.uwsgi import QUICK, WITHOUT_PROFILER

# The first runs code, the second has none and is called.
TWO_MULES = {"app": "background", "mule": "background.py", "mules": 1}
THREADS = {"threads off": {}, "two threads": {"threads": 2}}


def mule_pid(server, number, birth=1):
    """The pid of the mule's `birth`-th process."""
    found = server.wait_for_log(rf"^spawned uWSGI mule {number} \(pid: (\d+)\)", birth)
    return int(found[birth - 1])


def resting(wall):
    return wall.where(lambda sample: "rest" in sample.names())


def assert_waiting_stands_in(wall):
    assert resting(wall).label_values("worker") == {"mule 1"}
    assert resting(wall).label_values("thread") == {"uWSGIMule1"}
    # A mule that waits for a message is idle.
    waiting = wall.where(lambda sample: sample.labels["worker"] == "mule 2")
    assert waiting.label_values("state") <= {"running", "runnable"}


def assert_both_in_next_window(server, profile_reader, birth=1):
    pids = [mule_pid(server, number, birth) for number in (1, 2)]

    def are_seen(cpu, wall):
        own = {f"own_function_of_{pid}" for pid in pids}
        return own <= cpu.functions() and "sleep" in resting(wall).label_values("state")

    cpu, wall = windows_until(are_seen, "both mules and a sleep", server, profile_reader)
    assert_waiting_stands_in(wall)
    for number, pid in enumerate(pids, 1):
        assert_own_slot(cpu, pid, f"mule {number}", f"uWSGIMule{number}")


@pytest.mark.parametrize("threads", THREADS)
def test_mules_with_code_and_without_are_profiled_and_so_are_their_successors(
    threads, uwsgi, profile_reader
):
    server = uwsgi(**TWO_MULES, **QUICK, **THREADS[threads])
    assert "of 2 workers, 2 mules, a sample" in server.log

    with server.load("/message?ms=20", threads=1) as load:
        assert_both_in_next_window(server, profile_reader)
        for number in (1, 2):
            os.kill(mule_pid(server, number), signal.SIGKILL)
        assert_both_in_next_window(server, profile_reader, birth=2)

    assert load.failures == []


def test_mules_are_slots_after_a_reload_too(uwsgi, profile_reader):
    server = uwsgi(**TWO_MULES, **QUICK)
    server.wait_for_profiles()

    server.reload_by_signal()

    mule_pid(server, 2, birth=2)
    server.wait_until_live()
    with server.load("/signal?ms=20", threads=1):
        assert_both_in_next_window(server, profile_reader, birth=2)


def test_a_mule_ends_as_it_does_without_the_profiler(uwsgi):
    def lines_of_the_mule(**how):
        server = uwsgi(app="background", mule="background.py", processes=1, **how)
        server.wait_for_log("^the mule is at work")
        server.stop()
        lines = server.log.splitlines()
        return [re.sub(r"\d+", "N", line) for line in lines if line.startswith("mule 1")]

    assert lines_of_the_mule() == lines_of_the_mule(plugins=WITHOUT_PROFILER)
