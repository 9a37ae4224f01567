"""A page of shared memory that the system refuses costs samples alone.

SPDX-License-Identifier: MIT
"""

import contextlib
import subprocess

import pytest
from testenv.build import GATEWAY, build_library
from testenv.checks import assert_profiles_go_on, windows_until
from testenv.gateway import wrap_gateway
from testenv.profiles import wall_file_of
from testenv.uwsgi import APPS, QUICK

PAGE_BYTES = 4096
# Control page, two workers' headers, commands: what is there before the first fork.
FIRST_PAGES = 4


@contextlib.contextmanager
def small_memory(directory, pages):
    """A tmpfs of so many pages, and how to change their number."""

    def mount(pages, *more):
        options = ",".join([f"size={pages * PAGE_BYTES}", *more])
        return subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)],
            capture_output=True,
            check=False,
        ).returncode

    directory.mkdir()
    if mount(pages) != 0:
        pytest.skip("no right to mount a small file system here")
    try:
        yield lambda pages: mount(pages, "remount") == 0 or pytest.fail("cannot remount")
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@pytest.fixture
def make_server(make_uwsgi, plugin_dir, tmp_path):
    library = build_library(APPS / "small_memory.c", tmp_path / "small_memory.so")

    env = {"LD_PRELOAD": str(library), "SMALL_MEMORY": str(tmp_path / "memory")}
    gateway = wrap_gateway(tmp_path, program=plugin_dir / GATEWAY, **env)

    def make(**options):
        return make_uwsgi(env=env, cloudprofiler_gateway_binary=gateway, **QUICK, **options)

    return make


def test_without_the_first_pages_the_server_starts_without_the_profiler(make_server, tmp_path):
    server = make_server()
    server.errors_allowed = True
    with small_memory(tmp_path / "memory", FIRST_PAGES - 1):
        server.start()
        server.burst("/burn?ms=1", count=50)
        server.stop()

    (error,) = server.our_errors
    assert "no memory for 4 pages: No space left on device: not profiling" in error


def test_a_log_without_memory_is_counted_and_told_once_and_goes_on_when_there_is_some(
    make_server, tmp_path, profile_reader
):
    server = make_server(cloudprofiler_verbose=2)
    with small_memory(tmp_path / "memory", FIRST_PAGES) as resize:
        server.start()
        workers, gateway = server.wait_for_workers(2), server.gateway()
        with server.load("/burn?ms=10") as load:
            cpu, wall = windows_until(
                lambda cpu, wall: cpu.samples and wall.samples,
                "samples of any kind",
                server,
                profile_reader,
            )
            (server.directory / "fifo").write_text("d")
            refused = profile_reader.read(wall_file_of(server.wait_for_profiles()[-1]))
            warnings = list(server.our_warnings)
            resize(1000)
            server.wait_for_log("the system has memory for samples again")

        assert not load.failures, load.failures[:3]
        assert (server.workers(), server.gateway()) == (workers, gateway)
        assert cpu.functions() == {"[log full]"}
        assert wall.functions() <= {"[log full]"}
        assert any(line.startswith("memory refused: ") for line in refused.comments)
        assert len(warnings) == 1 and "the system has no memory for samples" in warnings[0]
        assert_profiles_go_on(server, profile_reader)
        server.stop()
