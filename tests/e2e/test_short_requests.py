"""Requests of 5 ms, which the kernel's tick misjudges and perf events do not; `make truth`
measures the same with bounds that are as narrow as the samples are many.

SPDX-License-Identifier: MIT
"""

import sys

import pytest
from testenv import bounds, known, needs
from testenv.uwsgi import APPS

sys.path.insert(0, str(APPS))
import truth

FORM = known.Form(processes=1, threads=1)
SECONDS = 5


def measure(make_uwsgi, reader, perf_events):
    server = known.make_server(make_uwsgi, "short_requests", FORM, SECONDS)
    known.start(server, perf_events)
    result = known.measure(server, reader, "/truth", FORM, SECONDS)
    server.stop()
    return result


def assert_accounts(result):
    print(result.workers)
    print(f"total {result.total_error():+.4f}, raw {result.raw_error():+.4f}")
    print(f"ticks {result.tick_error():+.4f}, at most {result.tick_bound():.4f}")
    assert abs(result.total_error()) <= result.total_bound()
    assert abs(result.raw_error()) <= result.raw_bound()
    assert abs(result.tick_error()) <= result.tick_bound()


def test_perf_events_find_the_shares_of_short_requests(make_uwsgi, profile_reader):
    result = measure(make_uwsgi, profile_reader, perf_events=True)
    if result.timer_is_alone():
        pytest.skip(needs.PERF_EVENTS)

    found = result.shares(truth.SHARES)

    samples = result.profile.total_count
    for name, percent in truth.SHARES.items():
        print(f"{name}: {found[name]:.4f}, {samples} samples")
        assert abs(found[name] - percent / 100) <= bounds.share(percent / 100, samples)
    assert_accounts(result)


def test_where_perf_events_are_refused_the_timer_accounts_for_all(make_uwsgi, profile_reader):
    result = measure(make_uwsgi, profile_reader, perf_events=False)

    assert result.timer_is_alone()
    assert "perf_event_open was refused" in result.profile.comment("engine")
    assert set(truth.SHARES) <= result.profile.functions()
    assert result.unaccounted() == 0
    assert_accounts(result)
