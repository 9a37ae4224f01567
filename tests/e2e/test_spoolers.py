"""Spoolers are profiled, each process as a slot of its own.

SPDX-License-Identifier: MIT
"""

import os
import signal

import pytest
from testenv import processes
from testenv.checks import assert_own_slot, windows_until
from testenv.uwsgi import NO_MASTER, QUICK
from testenv.wait import wait_for

SPOOLER = {"app": "background", "spooler": "%d/spool", **QUICK}
FORMS = {
    "threads off": {},
    "two threads": {"threads": 2},
    "lazy-apps": {"lazy_apps": "true", "spooler_import": "background"},
}


def spooler_pids(server, count):
    pids = server.wait_for_log(r"^spawned the uWSGI spooler on dir .* with pid (\d+)", count)
    return [int(pid) for pid in pids]


def wait_until_ready(pid):
    """A worker that spools wakes the spooler up by a signal, which ends one that uWSGI has forked
    and that has not come to its handler yet, with and without a profiler."""
    wait_for(lambda: processes.catches(pid, signal.SIGUSR1), "the spooler's handler")


def resting(wall):
    return wall.where(lambda sample: "rest" in sample.names())


def assert_in_next_window(server, profile_reader, pids):
    """The spoolers 1, 2 ... with these pids are in a window that begins from now on."""
    slots = {f"spooler {number}" for number in range(1, len(pids) + 1)}
    for pid in pids:
        wait_until_ready(pid)

    def are_seen(cpu, wall):
        own = {f"own_function_of_{pid}" for pid in pids}
        rest = resting(wall)
        return (
            own <= cpu.functions()
            and "sleep" in rest.label_values("state")
            and slots <= rest.label_values("worker")
        )

    with server.load("/spool?ms=20", threads=1) as load:
        profile, wall = windows_until(are_seen, f"{slots} at work", server, profile_reader)
    assert load.failures == []
    assert resting(wall).label_values("worker") == slots
    for number, pid in enumerate(pids, 1):
        assert_own_slot(profile, pid, f"spooler {number}", f"uWSGISpooler{number}")


@pytest.mark.parametrize("form", FORMS)
def test_a_spooler_is_profiled_and_so_is_its_successor(form, uwsgi, profile_reader):
    server = uwsgi(**SPOOLER, **FORMS[form])
    assert "of 2 workers, 1 spooler, a sample" in server.log
    (first,) = spooler_pids(server, 1)
    assert_in_next_window(server, profile_reader, [first])
    assert "the spooler is no more" not in server.log, server.log

    os.kill(first, signal.SIGKILL)

    _, second = spooler_pids(server, 2)
    assert_in_next_window(server, profile_reader, [second])


def test_each_process_of_several_spoolers_is_a_slot(uwsgi, profile_reader):
    directories = ["%d/first", "%d/second"]
    server = uwsgi(**{**SPOOLER, "spooler": directories}, spooler_processes=2, mules=1)
    assert "of 2 workers, 1 mule, 4 spoolers, a sample" in server.log

    # A task that names no directory goes to the first, to either of its processes.
    assert_in_next_window(server, profile_reader, spooler_pids(server, 4)[:2])


def test_a_spooler_that_recycles_itself_is_profiled_again(uwsgi, profile_reader):
    server = uwsgi(**SPOOLER, spooler_max_tasks=20)
    wait_until_ready(spooler_pids(server, 1)[0])

    with server.load("/spool?ms=10", threads=1) as load:
        spooler_pids(server, 3)

        def later_ones_are_seen(cpu, _wall):
            later = spooler_pids(server, 3)[1:]
            return cpu.functions() & {f"own_function_of_{pid}" for pid in later}

        windows_until(later_ones_are_seen, "samples of a later one", server, profile_reader)

    assert load.failures == []


def test_a_spooler_without_a_master_is_profiled(uwsgi, profile_reader):
    server = uwsgi(**SPOOLER, **NO_MASTER)

    assert_in_next_window(server, profile_reader, spooler_pids(server, 1))
