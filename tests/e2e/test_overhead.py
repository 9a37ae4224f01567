"""Profiling that costs more than cloudprofiler-max-overhead, or takes more samples than
cloudprofiler-max-samples, slows down and says so.

The rules are tests/unit/test_overhead.c's and test_budget.c's; here real workers pay.

SPDX-License-Identifier: MIT
"""

import math
import re

import pytest
from testenv import bounds, known, needs
from testenv.endpoint import TOKEN, Endpoint
from testenv.uwsgi import QUICK
from testenv.wait import wait_for

PERIOD_MS = 1
MAX_SAMPLES = 100
KEPT_UNTIL = 1.1  # of the budget: up to there a period stays (gateway/windows/budget.c)
SLOWED = (
    r"warning: profiling took [0-9.]+ % of the CPU time of worker [12], more than "
    r"cloudprofiler-max-overhead \(0\.05\): one sample each (\d+) ms from now on, not each 1 ms"
)
OVER_BUDGET = (
    r"all processes together gave (\d+) samples a second, where cloudprofiler-max-samples is 100: "
    r"one sample each (\d+) ms from now on"
)


@pytest.fixture
def start(uwsgi):
    """Starts a server with these ceilings, and its endpoint."""

    def start_server(ceiling, max_samples="off"):
        server = uwsgi(
            cloudprofiler_period_ms=PERIOD_MS,
            cloudprofiler_max_overhead=ceiling,
            cloudprofiler_max_samples=max_samples,
            cloudprofiler_verbose=2,
            cloudprofiler_http="127.0.0.1:0",
            cloudprofiler_http_token=TOKEN,
            **QUICK,
        )
        return server, Endpoint(server)

    return start_server


def test_above_the_ceiling_the_period_is_raised_and_that_is_said(start):
    server, endpoint = start("0.05")

    def raised():
        return [
            window["period_ms"]
            for window in endpoint.status()["windows"]
            if window["source"] == "schedule" and window["period_ms"] > PERIOD_MS
        ]

    with server.load("/burn?ms=20", threads=2):
        period_ms = int(server.wait_for_log(SLOWED, seconds=90)[0])
        wait_for(raised, "a window of a longer period")
    status = endpoint.status()

    assert period_ms == 2 * PERIOD_MS
    assert status["overhead"]["period_ms"] >= period_ms
    assert status["overhead"]["max_percent"] == 0.05
    assert status["overhead"]["percent"] > 0
    assert status["settings"]["period_ms"] == PERIOD_MS
    assert "\ncloudprofiler_overhead_percent " in endpoint.ask("/metrics").text


def test_below_the_ceiling_the_period_is_left_alone(start):
    server, endpoint = start("50")

    def judged():
        found = endpoint.status()["overhead"]
        return found if found["percent"] is not None else None

    with server.load("/burn?ms=20", threads=2):
        overhead = wait_for(judged, "a window that could be judged", 90)

    assert 0 < overhead["percent"] < 50
    assert overhead["max_percent"] == 50
    assert overhead["period_ms"] == PERIOD_MS
    assert f"\ncloudprofiler_period_ns {PERIOD_MS * 1000000}\n" in endpoint.ask("/metrics").text
    assert "max-overhead" not in server.log


def test_samples_beyond_the_budget_lengthen_the_period_and_totals_stay(start, profile_reader):
    server, endpoint = start("off", MAX_SAMPLES)

    with server.load("/burn?ms=20", threads=4):
        found, period_ms = map(int, server.wait_for_log(OVER_BUDGET, seconds=60)[0])
        server.wait_for_profiles(2)  # one of them may have been open already
        profile = profile_reader.read(server.wait_for_profiles(1)[-1])
        status = endpoint.status()["overhead"]
        metrics = endpoint.ask("/metrics").text

    assert found > MAX_SAMPLES * KEPT_UNTIL
    assert abs(period_ms - math.ceil(found * PERIOD_MS / MAX_SAMPLES)) <= 1  # found is rounded
    seconds = profile.message.duration_nanos / 1e9
    at_most = MAX_SAMPLES * KEPT_UNTIL * seconds
    # The load may have grown since the window that the period was chosen by.
    assert profile.total_count <= 2 * at_most + bounds.SIGMAS * math.sqrt(at_most)
    assert profile.message.period >= 2 * PERIOD_MS * 1e6
    clocks_ns = sum(worker["cpu_clock_ns"] for worker in known.worker_accounts(profile))
    assert abs(profile.total_ns / clocks_ns - 1) <= bounds.MODEL + bounds.UNSAMPLED
    assert profile.comment("period").startswith("longer than the 1 ms that are set")
    assert "cloudprofiler-max-samples (100 a second)" in profile.comment("period")
    assert status["max_samples"] == MAX_SAMPLES
    assert status["max_percent"] is None
    assert status["samples_per_second"] > 0
    assert status["period_ms"] > PERIOD_MS
    assert re.search(r"\ncloudprofiler_samples_per_second [0-9.]+\n", metrics)


def test_perf_events_that_cost_a_fast_app_too_much_are_given_up_and_that_is_shown(
    uwsgi, profile_reader
):
    server = uwsgi(
        app="trivial_wsgi",
        processes=1,
        cloudprofiler_verbose=2,
        cloudprofiler_max_overhead=1,
        **QUICK,
    )
    if "perf_event_open is refused" in server.log:
        pytest.skip(needs.PERF_EVENTS)

    with server.load("/", threads=4):
        server.wait_for_log(r"perf events took [\d.]+ s of this process's [\d.]+ s", seconds=60)
        server.wait_for_profiles(1)  # its window may have been open already
        profile = profile_reader.read(server.wait_for_profiles(1)[-1])

    assert "perf events were given up" in profile.comment("engine")
    assert profile.comment("perf events given up").startswith("1 (")
    (worker,) = known.worker_accounts(profile)
    assert worker["perf_given_up"] == 1
    assert worker["samples"] == worker["timer_ticks"] - known.missed_ticks(worker)
    clock_ns = worker["cpu_clock_ns"]
    assert abs(profile.total_ns / clock_ns - 1) <= bounds.MODEL + bounds.UNSAMPLED
