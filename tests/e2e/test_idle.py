"""Outside a window the profiler costs a worker nothing.

CPROF_IDLE_SECONDS sets the span that is watched.

SPDX-License-Identifier: MIT
"""

import os

from testenv import processes

IDLE_SECONDS = int(os.environ.get("CPROF_IDLE_SECONDS", "10"))


def switches(server):
    """How often each ticker gave the CPU up, by worker."""
    found = {}
    for pid in server.workers().values():
        (ticker,) = processes.tickers(pid)
        found[pid] = ticker.voluntary_switches()
    return found


def load_for(server, seconds):
    with server.load("/burn?ms=2", threads=1, seconds=seconds, rest_s=0.02) as load:
        load.join()
    return load


def test_in_a_window_each_core_thread_has_a_timer_and_outside_it_none(uwsgi):
    server = uwsgi(threads=2, cloudprofiler_output_interval=60)

    server.wait_for_window()
    in_window = [processes.timers(pid).count("ID:") for pid in server.workers().values()]
    server.wait_for_window(is_open=False)

    assert max(in_window) >= 2
    assert not any(processes.timers(pid) for pid in server.workers().values())


def test_between_windows_the_ticker_never_wakes_and_there_is_no_timer(uwsgi):
    server = uwsgi(threads=2, cloudprofiler_output_interval=IDLE_SECONDS + 50)
    server.wait_for_profiles()
    before = switches(server)

    load = load_for(server, IDLE_SECONDS)

    assert load.done and not load.failures
    assert switches(server) == before
    assert not any(processes.timers(pid) for pid in server.workers().values())
