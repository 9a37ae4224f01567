"""`uwsgi --ini FILE --cloudprofiler-check` beside the server that runs with FILE: the check answers
and the server stays as it is.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import select
import signal
import socket
import stat
import subprocess
import urllib.request
from pathlib import Path

import pytest
from testenv import processes
from testenv.build import PYTHON_PLUGIN, UWSGI

CHECK_SECONDS = 60
FIRST_WORKER = r"^spawned uWSGI worker 1 \(.*pid: (\d+)"
WELL = "check: profiling will work"

# A profile at the start and none after it, so that the server itself changes nothing meanwhile.
STILL = {
    "cloudprofiler_output_interval": 3600,
    "cloudprofiler_output_duration": 1,
    "cloudprofiler_disable_wall_profiling": "true",
}
# uWSGI of PyPI has the router built in.
ROUTER = ("python", "cloudprofiler", *(["http"] if PYTHON_PLUGIN else []))
FILES = {
    "pidfile": "%d/pid",
    "pidfile2": "%d/pid2",
    "safe-pidfile": "%d/safe",
    "safe-pidfile2": "%d/safe2",
    "stats": "%d/stats.sock",
    "socket": "%d/app.sock",
    "touch-reload": "%d/touched",
}
COMMAND = "echo x >> %d/hooks"
HOOK = "appendn:%d/hooks x"
HOOKS = {
    "hook-asap": HOOK,
    "exec-asap": COMMAND,
    "hook-pre-jail": HOOK,
    "exec-pre-jail": COMMAND,
    "hook-in-jail": HOOK,
    "exec-in-jail": COMMAND,
    "hook-as-root": HOOK,
    "exec-as-root": COMMAND,
    "hook-as-user": HOOK,
    "exec-as-user": COMMAND,
    "hook-as-user-atexit": HOOK,
    "exec-as-user-atexit": COMMAND,
    "exec-pre-app": COMMAND,
    "exec-post-app": COMMAND,
    "hook-master-start": HOOK,
    "file-write": "%d/written=x",
}
SERVERS = {
    "pidfiles and sockets": FILES,
    "vacuum": FILES | {"vacuum": "true"},
    "hooks": HOOKS,
    "hooks and vacuum": HOOKS | FILES | {"vacuum": "true"},
    "logto": {"logto": "%d/log"},
    "logto2, log-master": {"logto2": "%d/log", "log-master": "true"},
    "log-truncate": {"logto": "%d/log", "log-truncate": "true"},
    "a spooler and a mule": {"spooler": "%d/spool", "mule": "true"},
    "a router on a unix socket": {
        "plugins": ROUTER,
        "http_socket": None,
        "http": "%d/http.sock",
        "vacuum": "true",
    },
}


def state_of(directory):
    """All by which a change would show: of each file, directory and socket, what it is, whose it
    is, its inode, its times and its content."""
    state = {}
    for path in [directory, *directory.rglob("*")]:
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
        state[str(path.relative_to(directory))] = (
            stat.filemode(status.st_mode),
            status.st_uid,
            status.st_gid,
            status.st_ino,
            status.st_mtime_ns,
            status.st_ctime_ns,
            content,
        )
    return state


def changes(before, after):
    return {
        name: (before.get(name), after.get(name))
        for name in before | after
        if before.get(name) != after.get(name)
    }


def listener_inode(port):
    """The inode of the TCP socket that listens at a port of 127.0.0.1."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == f"0100007F:{port:04X}" and fields[3] == "0A":
            return int(fields[9])
    return None


def check(server, *options):
    return subprocess.run(
        [UWSGI, "--ini", server.directory / "uwsgi.ini", "--cloudprofiler-check", *options],
        cwd=server.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=CHECK_SECONDS,
        check=False,
    )


def assert_left_alone(server, *options):
    """Returns what the check said."""
    server.wait_for_first_profile()
    with server.load("/pid", threads=2) as load:
        load.wait_for_requests(5)
        before = state_of(server.directory)
        done = check(server, *options)
        after = state_of(server.directory)
        load.wait_for_requests(5)
    assert changes(before, after) == {}
    assert not load.failures, load.failures[:3]
    return done


def assert_well(done):
    assert WELL in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


@pytest.fixture
def still_uwsgi(make_uwsgi):
    def make(**options):
        return make_uwsgi(**STILL, **options)

    return make


@pytest.mark.parametrize("form", SERVERS)
def test_a_server_is_left_alone_that_has(form, still_uwsgi):
    server = still_uwsgi(**SERVERS[form])
    (server.directory / "touched").touch()
    server.start()

    assert_well(assert_left_alone(server))


def test_a_router_on_tcp_is_left_alone(still_uwsgi):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = still_uwsgi(
        plugins=ROUTER,
        http=f"127.0.0.1:{port}",
        http_to="%d/app.sock",
        socket="%d/app.sock",
        vacuum="true",
        pidfile="%d/pid",
    ).start()
    before = listener_inode(port)

    assert_well(assert_left_alone(server))

    assert before
    assert listener_inode(port) == before
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/pid", timeout=30) as answer:
        assert int(answer.read()) in server.workers().values()


@pytest.mark.parametrize("option", ["daemonize", "daemonize2"])
def test_a_daemon_is_left_alone(option, still_uwsgi):
    server = still_uwsgi(**{option: "%d/log", "pidfile": "%d/pid", "vacuum": "true"})
    server.launch()
    assert server.wait_for_exit() == 0
    worker = int(server.wait_for_log(FIRST_WORKER)[0])
    server.adopt(processes.process(worker).parent)
    server.wait_until_live()

    assert_well(assert_left_alone(server))


def test_a_vassal_is_left_alone_and_the_check_is_no_emperor(still_uwsgi):
    vassal = still_uwsgi(logto="%d/log", **FILES, vacuum="true")
    vassal.log_file.touch()
    (vassal.directory / "touched").touch()
    ini = vassal.write_ini()
    emperor = subprocess.Popen(
        [UWSGI, "--emperor", str(ini)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        worker = int(vassal.wait_for_log(FIRST_WORKER)[0])
        vassal.adopt(processes.process(worker).parent)
        vassal.wait_until_live()

        assert_well(assert_left_alone(vassal))
        assert_well(assert_left_alone(vassal, "--emperor", str(ini)))
    finally:
        emperor.send_signal(signal.SIGINT)
        emperor.wait(60)


@pytest.mark.parametrize(
    "options",
    [
        ("--cloudprofiler-period-ms", "0"),
        ("--cloudprofiler-output-dir", "/nowhere"),
        ("--envdir", "/nowhere"),
        ("--chmod-socket=abc",),
    ],
    ids=lambda options: options[0],
)
def test_a_start_that_is_refused_leaves_the_server_alone_too(options, still_uwsgi):
    fallback = "%d/fallback.ini"
    server = still_uwsgi(**FILES, **HOOKS, vacuum="true", fallback_config=fallback)
    (server.directory / "touched").touch()
    (server.directory / "fallback.ini").write_text("[uwsgi]\nexec-asap = touch %d/harmed\n")
    server.start()

    done = assert_left_alone(server, *options)

    assert done.returncode == 1, done.stderr
    assert "check: profiling will NOT work as configured" in done.stderr
    assert WELL not in done.stderr


def test_a_server_that_locks_a_file_is_left_alone_though_uwsgi_answers(still_uwsgi):
    server = still_uwsgi(flock="%d/lock", **FILES, vacuum="true")
    for name in ("lock", "touched"):
        (server.directory / name).touch()
    server.start()

    done = assert_left_alone(server)

    assert done.returncode == 1
    assert "is locked by another instance" in done.stderr


def test_a_spool_directory_is_not_made(make_uwsgi):
    server = make_uwsgi(spooler="%d/spool")
    server.write_ini()

    assert_well(check(server))

    assert not (server.directory / "spool").exists()


def run_on_terminal(command):
    """The status of a command that has a terminal for its standard streams, and what it shows."""
    reader, terminal = os.openpty()
    shown = b""
    try:
        done = subprocess.run(
            command,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            timeout=CHECK_SECONDS,
            check=False,
        )
    finally:
        os.close(terminal)
        # The kernel hands it over a piece at a time, and ends with an error once nobody writes.
        with contextlib.suppress(OSError):
            while select.select([reader], [], [], CHECK_SECONDS)[0]:
                shown += os.read(reader, 65536)
        os.close(reader)
    return done.returncode, shown.decode()


@pytest.mark.parametrize("option", ["daemonize", "daemonize2", "logto", "logto2", "logger"])
@pytest.mark.parametrize("is_well", [True, False])
def test_the_answer_comes_to_the_terminal_with(option, is_well, make_uwsgi):
    value = "file:%d/other" if option == "logger" else "%d/other"
    places = {} if is_well else {"cloudprofiler_output_dir": None}
    server = make_uwsgi(**{option: value, "log_master": "true"}, **places)
    ini = server.write_ini()

    status, shown = run_on_terminal([UWSGI, "--ini", ini, "--cloudprofiler-check"])

    assert status == (0 if is_well else 1), shown
    assert (WELL if is_well else "profiling will NOT work as configured") in shown
    assert not (server.directory / "other").exists()
