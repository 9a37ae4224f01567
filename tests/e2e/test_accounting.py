"""Kernel time stands where it was spent, and no time is lost at thousands of requests a second.

SPDX-License-Identifier: MIT
"""

import math

import pytest
from testenv import bounds, known, needs

FORM = known.Form(processes=2, threads=1)
SECONDS = 5
ENOUGH_CPU_NS = 2_500_000_000  # where it is about sums


def measure(make_uwsgi, reader, app, perf_events, enough_cpu_ns=math.inf):
    server = known.make_server(make_uwsgi, app, FORM, SECONDS)
    known.start(server, perf_events)
    result = known.measure(server, reader, "/truth", FORM, SECONDS, enough_cpu_ns)
    server.stop()
    return result


@pytest.mark.parametrize(
    ("app", "function"),
    [("kernel_mix", "read_and_write"), ("fresh_pages", "touch_fresh_pages")],
)
def test_kernel_time_is_found_in_its_function(make_uwsgi, profile_reader, app, function):
    result = measure(make_uwsgi, profile_reader, app, perf_events=True)
    if result.timer_is_alone():
        pytest.skip(needs.PERF_EVENTS)

    truth = result.own_part("kernel_part_ns")
    truth /= truth + result.own_part("user_part_ns")
    found = result.shares((function, "stay_in_user_mode"))[function]

    # The timer's ticks decide where kernel time was.
    bound = bounds.share(truth, result.sum_of("timer_ticks"))
    print(f"{function}: {found:.4f} for {truth:.4f}, bound {bound:.4f}")
    assert abs(found - truth) <= bound
    assert abs(result.total_error()) <= result.total_bound()


@pytest.mark.parametrize("perf_events", [True, False])
def test_thousands_of_requests_a_second_are_accounted_for(make_uwsgi, profile_reader, perf_events):
    result = measure(make_uwsgi, profile_reader, "trivial", perf_events, ENOUGH_CPU_NS)

    print(f"{result.requests} requests, {result.cpu_ns / 1e9:.2f} s of CPU")
    print(f"total {result.total_error():+.4f}, raw {result.raw_error():+.4f}")
    assert abs(result.total_error()) <= result.total_bound()
    assert abs(result.raw_error()) <= result.raw_bound()
    assert abs(result.tick_error()) <= result.tick_bound()
    if result.timer_is_alone():
        assert result.unaccounted() == 0
    else:
        assert 0 <= result.unaccounted() <= result.sum_of("timer_ticks")
