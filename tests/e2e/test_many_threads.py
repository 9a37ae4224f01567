"""CPU time that many threads use, each of them less than a period's worth; `make truth` measures
the same of more threads, and of many workers.

SPDX-License-Identifier: MIT
"""

import json
import math
import re

import pytest
from testenv import bounds, known
from testenv.load import get
from testenv.profiles import wall_file_of
from testenv.wait import wait_for

THREADS = 100
BURST_MS = 1.5  # once a second
SECONDS = 4
RATE = 0.1  # what the profiler may be off by, beyond chance


@pytest.mark.parametrize("perf_events", [True, False], ids=["perf events", "the timer"])
def test_threads_that_use_little_have_the_samples_that_their_time_is_worth(
    make_uwsgi, profile_reader, perf_events
):
    server = make_uwsgi(
        app="bursts",
        processes=1,
        enable_threads="true",
        env={"THREADS": str(THREADS), "BURST_MS": str(BURST_MS)},
        cloudprofiler_output_interval=SECONDS,
        cloudprofiler_output_duration=SECONDS,
    )
    known.start(server, perf_events)

    # The first window saw the threads begin.
    profile = profile_reader.read(server.wait_for_profiles(2)[-1])

    worth = profile.total_ns / 1e9 / known.PERIOD_S
    print(f"{profile.total_count} samples of {worth:.1f}")
    bound = RATE * worth + bounds.SIGMAS * math.sqrt(worth)
    assert bound < worth  # else none could pass
    assert abs(profile.total_count - worth) <= bound
    assert set(profile.label_values("worker")) == {"1"}


FOLLOWED = 512  # of the app's threads
TOO_MANY = 600


def test_threads_beyond_those_that_are_followed_are_named_where_they_are_missing(
    uwsgi, profile_reader
):
    server = uwsgi(
        app="bursts",
        processes=1,
        enable_threads="true",
        env={"THREADS": str(TOO_MANY), "BURST_MS": "0"},
        cloudprofiler_http="%dprofiler.sock",
    )
    wait_for((server.directory / "profiler.sock").exists, "the endpoint")
    left_out = TOO_MANY - FOLLOWED

    server.wait_for_first_profile()
    profile = profile_reader.read(wall_file_of(server.wait_for_profiles()[-1]))
    status = json.loads(get(server.directory / "profiler.sock", "/status"))
    metrics = get(server.directory / "profiler.sock", "/metrics").decode()

    assert profile.comment("threads left out").startswith(f"{left_out} threads are not followed")
    assert status["slots"][0]["counters"]["threads_left_out"] >= left_out
    counted = re.search(r"^cloudprofiler_threads_left_out (\d+)$", metrics, re.MULTILINE)
    assert int(counted[1]) >= left_out
    (warning,) = server.our_warnings
    assert "more than 512 threads of the app in this process" in warning
