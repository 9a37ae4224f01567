"""Platforms that get signals or clocks wrong: an emulated processor, a library that fakes time.

SPDX-License-Identifier: MIT
"""

import shutil

import pytest
from testenv.seccomp import without_perf_events

QEMU = "qemu-x86_64-static"
# An emulator takes its time, and faketime starts a program of its own.
SECONDS = 60


def launcher(program, package, *arguments):
    path = shutil.which(program)
    if not path:
        pytest.skip(f"{program} is missing: apt-get install {package}")
    return (path, *arguments)


def options(**more):
    return {
        "processes": 1,
        "cloudprofiler_output_interval": 2,
        "cloudprofiler_output_duration": 2,
        **more,
    }


def test_workers_live_and_are_profiled_on_an_emulated_processor(make_uwsgi, profile_reader):
    emulator = launcher(QEMU, "qemu-user-static")
    server = make_uwsgi(launcher=emulator, **options()).start()

    with server.load("/burn?ms=50", threads=1) as load:
        newest = server.wait_for_profiles(2, SECONDS)[-1]
    profile = profile_reader.read(newest)
    # Stopped by uWSGI, a worker crashes without a profiler, too: its own handler runs all of
    # exit() on the misaligned stack.
    server.kill()

    assert not load.failures
    assert profile.share("burn") > 0.5, profile.functions()


def test_a_misaligned_stack_is_reported_once(make_uwsgi):
    emulator = launcher(QEMU, "qemu-user-static")
    server = make_uwsgi(launcher=emulator, **options()).start()

    with server.load("/burn?ms=50", threads=1):
        profiles = server.wait_for_profiles(3, SECONDS)
    server.kill()

    assert profiles
    warnings = [line for line in server.our_warnings if "misaligned stack" in line]
    assert len(warnings) <= 1  # none where qemu is well


@pytest.mark.parametrize("when", [("-f", "-1d"), ("-f", "+0 x10"), ("2020-01-01 00:00:00",)])
def test_a_library_that_fakes_time_does_not_stop_the_ticks(make_uwsgi, profile_reader, when):
    faketime = launcher("faketime", "faketime", *when)
    server = make_uwsgi(launcher=faketime, **options())
    without_perf_events(server.start)

    with server.load("/burn?ms=50", threads=1) as load:
        newest = server.wait_for_profiles(2, SECONDS)[-1]
    profile = profile_reader.read(newest)

    assert not load.failures
    assert profile.share("burn") > 0.8, profile.functions()
    assert not [line for line in server.our_warnings if "CPU t" in line and "over" not in line]
