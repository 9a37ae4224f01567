"""Statements about a running server that many tests make.

SPDX-License-Identifier: MIT
"""

from . import processes
from .uwsgi import GATEWAY_COMM


def assert_profiles_go_on(server, profile_reader):
    """The workers that live now are found in a window that begins from now on."""
    with server.load("/own?ms=10", threads=4) as load:
        server.wait_for_profiles()  # its window may have begun before the load
        path = server.wait_for_profiles()[-1]
        living = {f"own_function_of_{pid}" for pid in server.workers().values()}
    profile = profile_reader.read(path)
    assert not load.failures, load.failures[:3]
    assert profile.functions() & living, f"none of {living} in {path.name}"
    assert not server.our_errors, server.our_errors


def assert_own_slot(profile, pid, worker, thread):
    """The process's own function is in the profile, under these tags alone."""
    name = f"own_function_of_{pid}"
    found = profile.where(lambda sample: name in sample.names())
    assert found.samples, f"{name} is not in {profile.functions()}"
    assert found.label_values("worker") == {worker}
    assert found.label_values("thread") == {thread}


def assert_inert(server):
    """The server works, and nothing of the profiler runs in it."""
    for pid in server.workers().values():
        assert not processes.tickers(pid)
        assert not processes.timers(pid)
    names = [process.name for process in processes.in_session(server.master_pid)]
    assert GATEWAY_COMM not in names
    assert not list(server.profiles.iterdir())


def our_lines(server):
    return [line for line in server.log.splitlines() if line.startswith("[cloudprofiler]")]
