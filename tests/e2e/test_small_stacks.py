"""Handlers run on the thread's alternate stack, and use no more of it than there is.

SPDX-License-Identifier: MIT
"""

import re
import shutil

import pytest
from testenv import known
from testenv.build import SOURCE, build_library
from testenv.uwsgi import APPS

HEADER = SOURCE / "plugin" / "threads" / "c_stack.h"
NEEDED = int(re.search(r"CPROF_HANDLER_STACK_BYTES (\d+)u", HEADER.read_text("utf-8"))[1])
PLENTY = 65536
TICKS_MIN = 100


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build_library(APPS / "small_stacks.c", tmp_path_factory.mktemp("small") / "stacks.so")


@pytest.fixture
def start(make_uwsgi, library):
    def start(perf_events=True, window_s=1):
        server = make_uwsgi(
            app="small_stacks",
            processes=1,
            cloudprofiler_period_ms=1,
            cloudprofiler_max_overhead="off",
            cloudprofiler_tag=["worker", "thread", "method", "path:2"],
            cloudprofiler_output_interval=window_s,
            cloudprofiler_output_duration=window_s,
        )
        shutil.copy(library, server.directory / "small_stacks.so")
        known.start(server, perf_events)
        server.wait_for_window()
        return server

    return start


def test_a_handler_needs_less_than_is_asked_for(start, profile_reader):
    server = start()

    used = int(server.get(f"/run?room={PLENTY}&ms=1500"))
    profile = profile_reader.read(server.wait_for_first_profile())

    print(f"{used} bytes of {NEEDED} that are asked for")
    assert 0 < used <= NEEDED
    assert profile.ns_of("work") > 0
    assert not server.our_warnings


@pytest.mark.parametrize("room", [0, 256, 1024, 2048, NEEDED, 2 * NEEDED])
def test_nothing_below_an_alternate_stack_is_overwritten(start, room):
    server = start()

    answer = server.get(f"/run?room={room}&ms=300")

    assert answer != "overwritten"
    assert int(answer) <= room + 128


@pytest.mark.parametrize("room", [512, 2048])
def test_a_thread_without_room_is_left_out_and_counted(start, profile_reader, room):
    server = start()

    with server.load(f"/run?room={room}&ms=100", threads=1, rest_s=0.1) as load:
        newest = server.wait_for_profiles(2)[-1]
    profile = profile_reader.read(newest)

    assert not load.failures
    assert profile.share("[unsampled]") > 0.8, profile.functions()
    assert re.search(r"missed_stack=\d+", profile.comment("missed"))
    server.wait_for_log(r"has too small a stack for signal handlers")


def test_each_tick_without_room_is_one_miss(start, profile_reader):
    server = start(perf_events=False, window_s=2)

    with server.load("/run?room=2048&ms=100", threads=1, rest_s=0.05):
        newest = server.wait_for_profiles(2)[-1]
    (worker,) = known.worker_accounts(profile_reader.read(newest))

    print(worker)
    assert worker["missed_stack"] > TICKS_MIN
    assert worker["timer_ticks"] == worker["samples"] + known.missed_ticks(worker)
