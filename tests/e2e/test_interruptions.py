"""No thread that sleeps is ever woken: not in C, and not in uWSGI. `make eintr` is the long form.

SPDX-License-Identifier: MIT
"""

import pytest
from testenv import interruptions
from testenv.interruptions import HALF_A_BODY, HANG, Form
from testenv.profiles import profile_files
from testenv.uwsgi import NO_MASTER, QUICK

FORM = Form(processes=2, threads=5, downloads=10, megabytes=4, seconds=5)
TIMEOUT_S = 2
LATE_S = 2  # uWSGI counts whole seconds, and the machine has other work


def test_calls_in_c_and_slow_downloads_are_not_interrupted(uwsgi):
    server = uwsgi(**interruptions.profiled(FORM))
    server.wait_for_window()

    outcome = interruptions.run(server, FORM)

    print(outcome)
    assert min(outcome.made.values()) > 20, outcome.made
    assert outcome.all_interrupted() == 0, outcome.interrupted
    assert (outcome.complete, outcome.cut) == (FORM.downloads, [])
    assert len(profile_files(server.profiles, "wall")) >= 2
    assert "Interrupted system call" not in server.log


def test_a_plain_timer_interrupts_both_so_that_the_test_above_can_fail(make_uwsgi, workspace):
    options = interruptions.with_plain_timer(FORM, workspace / "plain-timer")
    server = make_uwsgi(**options).start("/counts")

    outcome = interruptions.run(server, FORM)
    server.kill()  # its end would be interrupted, too

    print(outcome)
    assert min(outcome.interrupted.values()) > 0, outcome.interrupted
    assert outcome.complete < FORM.downloads


@pytest.mark.parametrize("threads", [None, 2], ids=["threads off", "two threads"])
def test_the_socket_timeout_fires_on_time(threads, uwsgi):
    server = uwsgi(
        app=interruptions.APP,
        processes=1,
        threads=threads,
        enable_threads="true",
        socket_timeout=TIMEOUT_S,
        cloudprofiler_period_ms=1,
        **QUICK,
    )
    server.wait_for_window()

    waited_s = interruptions.seconds_until_closed(server, HALF_A_BODY)

    assert waited_s is not None and TIMEOUT_S - 0.1 <= waited_s <= TIMEOUT_S + LATE_S, waited_s


def test_harakiri_without_a_master_fires_on_time_and_never_before(make_uwsgi):
    options = {**NO_MASTER, **QUICK, "cloudprofiler_period_ms": 1}
    server = make_uwsgi(
        app=interruptions.APP, harakiri=TIMEOUT_S, enable_threads="true", **options
    ).start("/counts")
    server.wait_for_profiles(2)
    assert server.is_running(), server.log_tail()

    waited_s = interruptions.seconds_until_closed(server, HANG)

    assert waited_s is not None and TIMEOUT_S - 1 <= waited_s <= TIMEOUT_S + LATE_S, waited_s
    server.wait_for_exit()
