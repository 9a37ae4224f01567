"""Who starts, replaces and confines a server changes nothing for its profiles.

SPDX-License-Identifier: MIT
"""

import os
import re
import signal
import subprocess

import pytest
from testenv import needs, processes
from testenv.build import UWSGI
from testenv.checks import assert_profiles_go_on, windows_until
from testenv.uwsgi import NO_MASTER, QUICK
from testenv.wait import wait_for

needs_root = pytest.mark.skipif(os.getuid() != 0, reason=needs.ROOT)

# What the profiler calls the memory that it shares, and the variables that it sets.
OUR_MEMORY = "/memfd:cloudprofiler"
OUR_VARIABLES = ("CLOUDPROFILER", "CPROF")

FIRST_WORKER = r"^spawned uWSGI worker 1 \(.*pid: (\d+)"

DAEMONS = {
    "daemonize": ("daemonize", {}),
    "daemonize2": ("daemonize2", {}),
    "daemonize, no master": ("daemonize", NO_MASTER),
    "daemonize2, no master": ("daemonize2", NO_MASTER),
}


@pytest.mark.parametrize("form", DAEMONS)
def test_a_server_that_detaches_itself_is_profiled(form, make_uwsgi, profile_reader):
    option, options = DAEMONS[form]
    server = make_uwsgi(**{option: "%d/log"}, **QUICK, **options)
    server.launch()
    assert server.wait_for_exit() == 0
    worker = int(server.wait_for_log(FIRST_WORKER)[0])
    server.adopt(worker if "no master" in form else processes.process(worker).parent)
    server.wait_until_live()

    assert_profiles_go_on(server, profile_reader)


def test_two_vassals_of_an_emperor_are_profiled_each_for_itself(
    make_uwsgi, workspace, profile_reader
):
    vassals = [make_uwsgi(logto="%d/log", **QUICK) for _ in range(2)]
    command = [UWSGI]
    for vassal in vassals:
        vassal.log_file.touch()
        command += ["--emperor", str(vassal.write_ini())]
    with (workspace / "emperor.log").open("wb") as log:
        emperor = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        for vassal in vassals:
            worker = int(vassal.wait_for_log(FIRST_WORKER)[0])
            vassal.adopt(processes.process(worker).parent)
            vassal.wait_until_live()
            assert_profiles_go_on(vassal, profile_reader)
        assert vassals[0].gateway() != vassals[1].gateway()
    finally:
        emperor.send_signal(signal.SIGINT)
        emperor.wait(60)
    for vassal in vassals:
        assert not vassal.is_running()
        vassal.check_log()


CHROOTS = {
    "with /proc": 'mount --bind / "$0" && mount -t proc proc "$0/proc" && exec "$@"',
    "without /proc": 'mount --bind / "$0" && exec "$@"',
}


def can_have_own_mounts():
    """False in a root directory that is no mount of its own, and in most containers."""
    return subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0


@needs_root
@pytest.mark.skipif(not can_have_own_mounts(), reason=needs.NAMESPACES)
@pytest.mark.parametrize("form", CHROOTS)
def test_a_server_in_another_root_is_profiled(form, make_uwsgi, workspace, profile_reader):
    root = workspace / "root"
    root.mkdir(exist_ok=True)
    # The mounts are seen by the server alone, and end with it.
    launcher = ("unshare", "--mount", "sh", "-c", CHROOTS[form], root)
    server = make_uwsgi(launcher=launcher, chroot=root, **QUICK).start()

    assert_profiles_go_on(server, profile_reader)


def can_have_own_processes():
    return subprocess.run(["unshare", "--pid", "--fork", "true"], check=False).returncode == 0


@needs_root
@pytest.mark.skipif(not can_have_own_processes(), reason=needs.NAMESPACES)
def test_a_server_whose_threads_have_other_numbers_in_proc_has_cpu_profiles(
    make_uwsgi, profile_reader
):
    server = make_uwsgi(launcher=("unshare", "--pid", "--fork"), **QUICK).start()
    [first] = processes.children(server.master_pid)
    server.adopt(first.pid)

    assert_profiles_go_on(server, profile_reader)

    assert len(server.our_warnings) == 2, "one of each worker"
    assert all("does not show this process's threads" in one for one in server.our_warnings)


def assert_both_are_profiled(server, profile_reader, old, new):
    with server.some_work("/own?ms=10", threads=8) as load:
        load.wait_for_bodies({str(pid).encode() for pid in {*old, *new}})
        server.wait_for_profiles(2)
        files = server.wait_for_profiles(4)
    functions = set().union(*(profile_reader.read(path).functions() for path in files))
    assert functions & {f"own_function_of_{pid}" for pid in old}
    assert functions & {f"own_function_of_{pid}" for pid in new}
    assert load.failures == []


def test_a_master_that_the_fifo_copied_is_profiled_beside_the_old_one_and_after_it(
    uwsgi, profile_reader
):
    server = uwsgi(**QUICK)
    old = server.wait_for_workers(2)

    server.write_fifo("f")
    new_master = int(server.wait_for_log(r"new master copy spawned with pid (\d+)")[0])
    try:
        server.wait_for_new_workers(old)
        new = server.workers()
        assert_both_are_profiled(server, profile_reader, old.values(), new.values())
        server.stop()
    finally:
        server.adopt(new_master)

    assert_profiles_go_on(server, profile_reader)


def test_a_program_that_takes_the_workers_place_is_left_alone(uwsgi, profile_reader):
    server = uwsgi(
        worker_exec="%d/other_program.py",
        wsgi_file=None,
        processes=1,
        mule="background.py",
        **QUICK,
    )
    assert "of 1 mule, a sample" in server.log
    mule = int(server.wait_for_log(r"^spawned uWSGI mule 1 \(pid: (\d+)")[0])

    profile, _ = windows_until(
        lambda cpu, _: f"own_function_of_{mule}" in cpu.functions(),
        "samples of the mule",
        server,
        profile_reader,
    )

    assert profile.label_values("worker") == {"mule 1"}
    for pid in server.workers().values():
        assert_untouched(pid)


@pytest.mark.parametrize("option", ["worker_exec", "worker_exec2"])
def test_a_server_of_other_programs_alone_is_left_alone(option, uwsgi):
    server = uwsgi(**{option: "%d/other_program.py"}, wsgi_file=None, processes=1)

    assert server.log.count("this instance has no workers") == 1
    for pid in server.workers().values():
        assert_untouched(pid)


def assert_untouched(pid):
    assert not processes.tickers(pid)
    assert not processes.timers(pid)
    shared = [name for name in processes.open_files(pid) if name.startswith(OUR_MEMORY)]
    assert not shared
    # Names alone: a folder that is named after the profiler stands in many a value.
    added = processes.variables(pid) - set(os.environ)
    assert not [name for name in added if name.startswith(OUR_VARIABLES)]


def test_a_daemon_of_the_servers_is_left_alone(uwsgi, profile_reader):
    server = uwsgi(attach_daemon="exec /bin/sleep 1000", **QUICK)
    (daemon,) = wait_for(
        lambda: [p for p in processes.children(server.master_pid) if p.name == "sleep"], "a daemon"
    )

    assert_untouched(daemon.pid)
    old = server.wait_for_workers(2)
    server.reload_by_signal()
    server.wait_for_new_workers(old)
    (daemon,) = wait_for(
        lambda: [p for p in processes.children(server.master_pid) if p.name == "sleep"], "a daemon"
    )
    assert_profiles_go_on(server, profile_reader)
    assert_untouched(daemon.pid)


def test_the_log_says_once_what_is_profiled(uwsgi):
    server = uwsgi(spooler="%d/spool", mules=2, **QUICK)
    server.wait_for_profiles()

    found = re.findall(r"^\[cloudprofiler\] version .*$", server.log, re.MULTILINE)

    assert len(found) == 1
    assert "profiles of 2 workers, 2 mules, 1 spooler, a sample each 10 ms" in found[0]
