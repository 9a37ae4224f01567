"""The app's own children are strangers to the profiler.

SPDX-License-Identifier: MIT
"""

import collections
import itertools
import sys
import threading

import pytest
from testenv import processes
from testenv.build import PYTHON
from testenv.profiles import merged, profile_files

WAYS = ("fork", "exit", "twice", "thread", "multiprocessing", "subprocess", "preexec")
FORKS = 203  # 29 of each way
CLIENTS = 2


def fork_in_all_ways(server):
    """The exit statuses of FORKS children, by the way they were made."""
    ways = itertools.islice(itertools.cycle(WAYS), FORKS)
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


@pytest.mark.parametrize("threads", [None, 2], ids=["threads off", "threads on"])
def test_forked_children_are_not_sampled_and_end_well(threads, uwsgi, profile_reader):
    server = uwsgi(
        app="forks",
        threads=threads,
        env={"PYTHON_PROGRAM": PYTHON if PYTHON.startswith("/") else sys.executable},
        cloudprofiler_output_interval=2,
        cloudprofiler_output_duration=2,
    )
    server.wait_for_window()

    statuses = fork_in_all_ways(server)
    server.wait_for_profiles()

    assert sum(sum(of_way.values()) for of_way in statuses.values()) == FORKS
    assert {way: set(of_way) for way, of_way in statuses.items()} == {way: {"0"} for way in WAYS}
    profile = merged(profile_reader.read(path) for path in profile_files(server.profiles))
    assert profile.ns_of("parent_work") > 0
    assert "child_work" not in profile.functions()
    living = processes.in_session(server.master_pid)
    assert len(living) == 4, f"master, two workers and the gateway, but no child: {living}"
