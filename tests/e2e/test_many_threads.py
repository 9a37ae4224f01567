"""CPU time that many threads use, each of them less than a period's worth; `make truth` measures
the same of more threads, and of many workers.

SPDX-License-Identifier: MIT
"""

import math

import pytest
from testenv import bounds, known

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
