"""Profiling that costs more than cloudprofiler-max-overhead slows down, and says so.

The rule is tests/unit/test_overhead.c's; here real workers pay.

SPDX-License-Identifier: MIT
"""

import pytest
from testenv.endpoint import TOKEN, Endpoint
from testenv.uwsgi import QUICK
from testenv.wait import wait_for

PERIOD_MS = 1
SLOWED = (
    r"warning: profiling took [0-9.]+ % of the CPU time of worker [12], more than "
    r"cloudprofiler-max-overhead \(0\.05\): one sample each (\d+) ms from now on, not each 1 ms"
)


@pytest.fixture
def start(uwsgi):
    """Starts a server with this ceiling, and its endpoint."""

    def start_server(ceiling):
        server = uwsgi(
            cloudprofiler_period_ms=PERIOD_MS,
            cloudprofiler_max_overhead=ceiling,
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
