"""When profiles cannot be written the server does not notice, and one line says so.

SPDX-License-Identifier: MIT
"""

import contextlib
import errno
import subprocess

import pytest
from testenv import needs
from testenv.checks import assert_profiles_go_on
from testenv.profiles import KINDS, profile_files, wait_for_files
from testenv.wait import wait_for

DISK_BYTES = 256 * 1024


@contextlib.contextmanager
def small_disk(directory):
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(directory)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip(needs.NAMESPACES)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(path):
    """A file that takes all the room that is left."""
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size):
                    pass
    with pytest.raises(OSError) as full, path.with_suffix(".more").open("wb", buffering=0) as file:
        file.write(b"\0")
    assert full.value.errno == errno.ENOSPC
    path.with_suffix(".more").unlink()


def names_in(directory):
    """But for the file that tells servers of one directory apart."""
    return {path.name for path in directory.iterdir() if path.suffix != ".lock"}


def test_a_full_disk_costs_profiles_only_and_is_told_once(make_uwsgi, profile_reader):
    server = make_uwsgi()
    with small_disk(server.profiles):
        server.start()
        ballast = server.profiles / "ballast"
        with server.some_work("/burn?ms=10") as load:
            server.wait_for_profiles()
            fill(ballast)
            server.wait_for_log(r"^\[cloudprofiler\] warning: ")
            good = [path for kind in KINDS for path in profile_files(server.profiles, kind)]
            server.pass_windows(2)
            kept = {ballast.name, *(path.name for path in good)}
            # A temporary file is there for the moment in which it is tried.
            wait_for(lambda: names_in(server.profiles) == kept, "no part of a profile")
            warnings = list(server.our_warnings)
            ballast.unlink()
            server.wait_for_profiles()

        assert not load.failures
        assert len(warnings) == 1 and str(server.profiles) in warnings[0]
        for path in profile_files(server.profiles):
            profile_reader.read(path)
        assert_profiles_go_on(server, profile_reader)
        server.stop()


def test_a_directory_that_goes_away_costs_profiles_only_and_is_told_once(uwsgi, profile_reader):
    server = uwsgi()
    with server.some_work("/burn?ms=10") as load:
        server.wait_for_profiles()
        server.profiles.rename(server.directory / "elsewhere")
        server.wait_for_log(r"^\[cloudprofiler\] warning: ")
        server.pass_windows(2)
        warnings = list(server.our_warnings)
        server.profiles.mkdir(mode=0o755)
        server.wait_for_profiles()

    assert not load.failures
    assert len(warnings) == 1 and str(server.profiles) in warnings[0]
    assert_profiles_go_on(server, profile_reader)


def test_a_directory_that_is_gone_at_a_reload_does_not_take_the_server_down(uwsgi):
    server = uwsgi()
    server.errors_allowed = True
    server.wait_for_profiles()

    server.profiles.rename(server.directory / "elsewhere")
    server.reload_by_signal()
    server.wait_for_log(r"^\[cloudprofiler\] error: cloudprofiler-output-dir.*not profiling")
    server.wait_for_log(r"gracefully \(RE\)spawned uWSGI master")
    server.wait_until_live()

    server.get("/burn?ms=1")


def test_a_stale_temporary_is_cleared_at_the_start_and_a_strangers_is_not(make_uwsgi):
    server = make_uwsgi(cloudprofiler_service="shop")
    server.start()
    profile = server.wait_for_profiles()[0]
    server.stop()
    stale = f".{profile.name}.tmp"
    of_another_service = stale.replace("-shop-", "-mail-")
    for name in (stale, of_another_service):
        (server.profiles / name).write_bytes(b"half a profile")

    server.start()
    wait_for_files(server.profiles, kind="wall")  # a window's last

    def left():
        return {name for name in names_in(server.profiles) if name.startswith(".")}

    wait_for(lambda: left() == {of_another_service}, "no temporary file but a stranger's")
