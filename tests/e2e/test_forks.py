"""The app's own children are strangers to the profiler.

CPROF_FORKS sets how many children are made in each way.

SPDX-License-Identifier: MIT
"""

import collections
import itertools
import os
import sys
import threading

import pytest
from testenv import processes
from testenv.build import PYTHON
from testenv.profiles import merged, profile_files

WAYS = ("fork", "exit", "twice", "thread", "multiprocessing", "subprocess", "preexec")
# In a thread that Python did not start, children that leave by way of Python's own end fail now
# and then, profiler or not: threading._shutdown asserts that the main thread is one of Python's
# (3.11), Py_Exit crashes (3.13).
WAYS_IN_FOREIGN_THREADS = tuple(way for way in WAYS if way not in ("multiprocessing", "exit"))
FORMS = {
    "threads off": ({}, WAYS),
    "threads on": ({"enable_threads": "true"}, WAYS),
    "two threads": ({"threads": 2}, WAYS_IN_FOREIGN_THREADS),
}
CLIENTS = 2
FORKS_EACH_WAY = int(os.environ.get("CPROF_FORKS", "5"))


def fork_in_turn(server, all_ways, forks):
    """The exit statuses of `forks` children, by the way they were made."""
    ways = itertools.islice(itertools.cycle(all_ways), forks)
    statuses = collections.defaultdict(collections.Counter)
    lock = threading.Lock()

    def client():
        while True:
            with lock:
                way = next(ways, None)
            if way is None:
                return
            status = server.get(f"/fork?how={way}")
            with lock:
                statuses[way][status] += 1

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    return statuses


@pytest.mark.parametrize("form", FORMS)
def test_forked_children_are_not_sampled_and_end_well(form, uwsgi, profile_reader):
    options, ways = FORMS[form]
    forks = FORKS_EACH_WAY * len(ways)
    server = uwsgi(
        app="forks",
        env={"PYTHON_PROGRAM": PYTHON if PYTHON.startswith("/") else sys.executable},
        cloudprofiler_output_interval=2,
        cloudprofiler_output_duration=2,
        **options,
    )
    server.wait_for_window()

    statuses = fork_in_turn(server, ways, forks)
    server.wait_for_profiles()

    assert sum(sum(of_way.values()) for of_way in statuses.values()) == forks
    assert {way: set(of_way) for way, of_way in statuses.items()} == {way: {"0"} for way in ways}
    profile = merged(profile_reader.read(path) for path in profile_files(server.profiles))
    assert profile.ns_of("parent_work") > 0
    assert "child_work" not in profile.functions()
    living = processes.in_session(server.master_pid)
    assert len(living) == 4, f"master, two workers and the gateway, but no child: {living}"
