"""Ten seconds of kills, and that their judge finds what is wrong.

SPDX-License-Identifier: MIT
"""

import math
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import kill_judge
import kills
import pytest
from kill_clients import Failure, Work
from kill_events import CHEAPED, NO_MERCY, Event
from testenv.profiles import Frame, Profile, Sample

SECONDS = 10
REST_S = 0.05  # of the clients: make kill-soak is where they leave no processor idle
SEED = 7
THREADS = 2


def failed(pid, began=10.0, ended=11.0):
    return Failure("/own", began, ended, pid, "cut")


def killed(pid, moment=10.5, kind="SIGKILL worker"):
    return Event(kind, moment, pid, "1", until=moment + 0.2)


def test_a_server_lives_through_kills_and_reloads(workspace, plugin_dir):
    assert kills.run(workspace, plugin_dir, SECONDS, SEED, REST_S) == []


def test_a_kill_explains_one_failure_for_each_thread():
    failures = [failed(None), failed(7), failed(7), failed(7)]

    cuts, unexplained = kill_judge.sort_failures(failures, [killed(7)], THREADS)

    assert sum(cuts.values()) == THREADS
    assert unexplained == [failed(7), failed(None)]


def test_failures_of_other_workers_and_other_times_are_not_explained():
    failures = [failed(8), failed(7, ended=10.2), failed(None, began=10.8), failed(None, 9.0, 10.2)]

    _, unexplained = kill_judge.sort_failures(failures, [killed(7)], THREADS)

    assert set(unexplained) == set(failures)


def test_a_kill_explains_a_request_that_came_while_its_victim_still_lived():
    late = failed(None, began=10.8, ended=10.9)
    unended = killed(7)._replace(until=math.inf)

    (ended,) = kill_judge.with_deaths([unended], {7: 10.85})
    (too_early,) = kill_judge.with_deaths([unended], {7: 10.7})

    assert kill_judge.sort_failures([late], [ended], THREADS)[1] == []
    assert kill_judge.sort_failures([late], [unended], THREADS)[1] == []
    assert kill_judge.sort_failures([late], [too_early], THREADS)[1] == [late]


def test_a_mules_kill_explains_no_failure():
    events = [killed(7, kind="SIGKILL mule")]

    assert kill_judge.sort_failures([failed(7)], events, THREADS) == (Counter(), [failed(7)])


def test_a_reload_explains_requests_without_an_answer_while_it_lasts():
    reload = Event("touch reload", 10.5, until=10.7)
    reset, late, cut = failed(None), failed(None, began=10.8), failed(7)

    cuts, unexplained = kill_judge.sort_failures([reset, late, cut], [reload], THREADS)

    assert (cuts, set(unexplained)) == (Counter({reload: 1}), {late, cut})
    assert kill_judge.sort_failures([reset], [reload, killed(8)], THREADS)[0] == {killed(8): 1}


def test_requests_that_reloads_cut_more_often_than_without_us_are_found():
    reloads = [Event("SIGHUP", 10.0 * n, until=10.0 * n + 1) for n in range(30)]

    def cuts(count):
        failures = [failed(None, one.moment, one.moment + 0.5) for one in reloads[:count]]
        found, unexplained = kill_judge.sort_failures(failures, reloads, THREADS)
        assert not unexplained
        return kill_judge.cuts_by(("SIGHUP",), found, reloads, THREADS)

    assert kill_judge.is_more_often(*cuts(20), *cuts(1))
    assert not kill_judge.is_more_often(*cuts(2), *cuts(1))


def test_what_happens_more_often_than_without_us_is_found():
    reloads = [Event("SIGHUP", float(n)) for n in range(30)]
    few, many = ([killed(n, kind=NO_MERCY) for n in range(count)] for count in (10, 90))
    base = kill_judge.reloads_without_mercy(reloads + few, 4)

    assert kill_judge.is_more_often(*kill_judge.reloads_without_mercy(reloads + many, 4), *base)
    assert not kill_judge.is_more_often(*base, *base)


def test_the_workers_that_uwsgi_cheaped_are_read_from_its_log():
    log = """worker 2 killed successfully (pid: 12)
worker 3 killed successfully (pid: 13)
uWSGI worker 2 cheaped.
worker 2 killed successfully (pid: 14)
"""

    assert kill_judge.cheaped(log, {12: 10.5, 13: 11.0}) == [Event(CHEAPED, 10.5, 12, "2")]


def test_the_workers_that_uwsgi_killed_are_read_from_its_log():
    log = "Sun Nov 22 20:49:59 2026 - worker 3 (pid: 14) is taking too much time to die...NO MERCY"

    (event,) = kill_judge.without_mercy(log)

    assert (event.kind, event.pid, event.slot) == (NO_MERCY, 14, "3")


def test_a_kill_of_which_the_log_gives_the_second_explains_failures_in_all_of_it():
    log = "Sun Nov 22 20:49:59 2026 - worker 3 (pid: 14) is taking too much time to die...NO MERCY"
    (event,) = kill_judge.without_mercy(log)
    second = event.moment
    (event,) = kill_judge.with_deaths([event], {14: second + 0.75})
    within, after, before = (
        failed(None, second + began, second + ended)
        for began, ended in ((0.6, 0.8), (0.8, 0.9), (-0.5, -0.1))
    )

    assert kill_judge.sort_failures([within], [event], THREADS)[1] == []
    assert set(kill_judge.sort_failures([after, before], [event], THREADS)[1]) == {after, before}


# Of a run in which uWSGI cheaped a worker, which cut a request, just before the end of the test.
SPAWNED = """spawned uWSGI worker 3 (pid: 7592, cores: 2)
Gracefully killing worker 3 (pid: 7592)...
worker 3 killed successfully (pid: 7592)
Respawned uWSGI worker 3 (new pid: 9346)
spawned uWSGI worker 4 (pid: 7595, cores: 2)
"""
ENDS = {
    "cheaped": "worker 3 killed successfully (pid: 9346)\nuWSGI worker 3 cheaped.\n",
    "killed": "DAMN ! worker 3 (pid: 9346) died, killed by signal 9 :( trying respawn ...\n",
    "exited": "DAMN ! worker 3 (pid: 9346) died :( trying respawn ...\n",
}


@pytest.mark.parametrize("end", ENDS)
def test_the_log_is_judged_when_it_has_the_end_of_each_worker_that_ended(end):
    def is_settled(log, lost, living):
        return kill_judge.is_settled(log, lost, living.__contains__)

    assert is_settled(SPAWNED, {7592, None}, {9346, 7595})
    assert not is_settled(SPAWNED, {9346}, {9346, 7595}), "it may be about to end"
    assert not is_settled(SPAWNED, {None}, {7595})
    assert is_settled(SPAWNED + ENDS[end], {9346}, {7595})


CRASHED = """!!! uWSGI process 64 got Segmentation Fault !!!
*** backtrace of 64 ***
/usr/bin/uwsgi(uwsgi_backtrace+0x2f) [0x55681fb7b4df]
/usr/bin/uwsgi(uwsgi_segfault+0x23) [0x55681fb7b8f3]
/lib/x86_64-linux-gnu/libc.so.6(+0x3c050) [0x7fd533aae050]
/usr/bin/uwsgi({function}+0x5a) [0x55681fb7a4ca]
*** end of backtrace ***
DAMN ! worker 1 (pid: 64) died, killed by signal 11 :( trying respawn ...
"""


def test_only_the_crash_that_uwsgi_has_by_itself_is_left_out():
    own = CRASHED.format(function="gracefully_kill")
    other = CRASHED.format(function="python_call").replace("64", "65")

    assert kill_judge.crashes(own) == ([], 1)
    assert len(kill_judge.crashes(own + other)[0]) == 2


class _Message:
    def __init__(self, began, seconds=1.0):
        self.time_nanos = int(began * 1e9)
        self.duration_nanos = int(seconds * 1e9)


def profile(began, kind="cpu", worker="1", function="own_function_of_7", file="own.py"):
    sample = Sample((Frame(function, file, 1),), 1, 1, {"worker": worker})
    return Profile([sample], _Message(began), path=Path(f"{kind}-{began}"), kind=kind)


def test_an_event_without_a_later_window_is_found():
    profiles = [profile(11.0), profile(11.0, "wall")]

    assert kill_judge.gaps([killed(7)], profiles) == (0.5, [])
    assert len(kill_judge.gaps([killed(7, moment=11.5)], profiles)[1]) == 2
    assert len(kill_judge.gaps([killed(7)], profiles[:1])[1]) == 1


def test_a_killed_mules_successor_is_missed():
    mule = Event("SIGKILL mule", 10.5, 7, "mule 1")
    own = [profile(11.0, kind, "mule 1") for kind in ("cpu", "wall")]
    others = [profile(11.0), profile(11.0, "wall")]

    assert kill_judge.gaps([mule], others + own)[1] == []
    assert len(kill_judge.gaps([mule], others)[1]) == 2


def test_another_processs_function_is_a_stranger():
    assert kill_judge.strangers([profile(1.0)], {7: "1"}) == []
    assert len(kill_judge.strangers([profile(1.0)], {7: "2"})) == 1
    assert len(kill_judge.strangers([profile(1.0, file="burn.py")], {7: "2"})) == 1
    assert len(kill_judge.strangers([profile(1.0, function="rest")], {7: "1"})) == 1


def test_windows_are_awaited_from_the_end_of_a_reload_that_ends_the_gateway():
    kill = killed(7, moment=12.0)
    profiles = [profile(31.0), profile(31.0, "wall")]

    def reload(kind):
        return Event(kind, 11.0, until=30.0)

    assert kill_judge.gaps([kill, reload("SIGHUP")], profiles) == (1.0, [])
    assert len(kill_judge.gaps([kill, reload("chain reload")], profiles)[1]) == 4
    assert len(kill_judge.gaps([kill._replace(moment=10.0), reload("SIGHUP")], profiles)[1]) == 2


def answers(pid, count, began):
    return [Work(began + n / 1000, began + (n + 1) / 1000, pid) for n in range(count)]


def test_a_process_that_worked_in_windows_and_is_in_no_profile_is_found():
    work = answers(7, 1000, 1.0) + answers(8, 999, 1.0) + answers(9, 10, 1.0)

    assert kill_judge.unseen(work, [profile(1.0)]) == [
        "process 8 worked 5.0 s in windows and is in no profile"
    ]
    assert kill_judge.unseen(answers(8, 1000, 2.5), [profile(1.0), profile(4.0)]) == []
