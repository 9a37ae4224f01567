"""Platforms that get signals or clocks wrong: an emulated processor, a library that fakes time.

SPDX-License-Identifier: MIT
"""

import shutil
from pathlib import Path

import pytest
from testenv.seccomp import without_perf_events

QEMU = "qemu-x86_64-static"
# An emulator takes its time.
SECONDS = 60


def emulator():
    path = shutil.which(QEMU)
    if not path:
        pytest.skip(f"{QEMU} is missing: apt-get install qemu-user-static")
    return (path,)


def faked_time(when):
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not libraries:
        pytest.skip("libfaketime is missing: apt-get install faketime")
    return {"LD_PRELOAD": str(libraries[0]), "FAKETIME": when}


def options(**more):
    return {
        "processes": 1,
        "cloudprofiler_output_interval": 2,
        "cloudprofiler_output_duration": 2,
        **more,
    }


def test_workers_live_and_are_profiled_on_an_emulated_processor(make_uwsgi, profile_reader):
    server = make_uwsgi(launcher=emulator(), **options()).start()

    with server.load("/burn?ms=50", threads=1) as load:
        newest = server.wait_for_profiles(2, SECONDS)[-1]
    profile = profile_reader.read(newest)
    # Stopped by uWSGI, a worker crashes without a profiler, too: its own handler runs all of
    # exit() on the misaligned stack.
    server.kill()

    assert not load.failures
    assert profile.share("burn") > 0.5, profile.functions()


def test_a_misaligned_stack_is_reported_once(make_uwsgi):
    server = make_uwsgi(launcher=emulator(), **options()).start()

    with server.load("/burn?ms=50", threads=1):
        profiles = server.wait_for_profiles(3, SECONDS)
    server.kill()

    assert profiles
    warnings = [line for line in server.our_warnings if "misaligned stack" in line]
    assert len(warnings) <= 1  # none where qemu is well


@pytest.mark.parametrize("when", ["-1d", "+0 x10", "2020-01-01 00:00:00"])
def test_a_library_that_fakes_time_does_not_stop_the_ticks(make_uwsgi, profile_reader, when):
    server = make_uwsgi(env=faked_time(when), **options())
    without_perf_events(server.start)

    with server.load("/burn?ms=50", threads=1) as load:
        newest = server.wait_for_profiles(2, SECONDS)[-1]
    profile = profile_reader.read(newest)

    assert not load.failures
    assert profile.share("burn") > 0.8, profile.functions()
    assert not [line for line in server.our_warnings if "CPU t" in line and "over" not in line]
