"""Statements about a running server that many tests make.

SPDX-License-Identifier: MIT
"""

import subprocess

from . import processes
from .build import PYTHON_PLUGIN, UWSGI
from .profiles import merged, wall_file_of
from .uwsgi import GATEWAY_COMM
from .wait import wait_for

PATIENCE_S = 60
CHECK_SECONDS = 90


def windows_until(is_enough, what, server, reader):
    """CPU and wall time of windows that begin from now on and follow each other, of as many as it
    takes until is_enough(cpu, wall): where others use the processors, a window of a second may
    hold no sample of a process that works, or no look that meets a sleep."""
    cpu, wall = [], []

    def are_enough():
        path = server.wait_for_profiles()[-1]
        cpu.append(reader.read(path))
        wall.append(reader.read(wall_file_of(path)))
        return is_enough(merged(cpu), merged(wall))

    server.wait_for_profiles()  # its window may have begun before
    wait_for(are_enough, what, PATIENCE_S)
    return merged(cpu), merged(wall)


def assert_profiles_go_on(server, profile_reader):
    """The workers that live now are found in windows that begin from now on."""

    def workers_are_found(cpu, _wall):
        return cpu.functions() & {f"own_function_of_{pid}" for pid in server.workers().values()}

    with server.some_work("/own?ms=10") as load:
        windows_until(workers_are_found, "samples of the living workers", server, profile_reader)
    assert not load.failures, load.failures[:3]
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


def run_check(
    directory,
    plugin_dir,
    *,
    plugins=(PYTHON_PLUGIN, "cloudprofiler"),
    launcher=(),
    **options,
):
    """What `uwsgi --cloudprofiler-check` says in that directory, as subprocess.run() returns it."""
    command = [*launcher, UWSGI, "--plugin-dir", plugin_dir]
    command += ["--plugin", ",".join(filter(None, plugins))]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value == "true":
            command.append(option)
        elif value is not None:
            command += [option, value]
    return subprocess.run(
        [*map(str, command), "--cloudprofiler-check"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=CHECK_SECONDS,
        check=False,
    )
