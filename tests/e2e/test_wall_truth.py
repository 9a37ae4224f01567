"""Wall profiles of threads that keep books of what they do.

CPROF_WALL_SECONDS sets the length of each window (`make wall-truth`).

SPDX-License-Identifier: MIT
"""

import os
from collections import Counter
from typing import NamedTuple

import pytest
from testenv import books, bounds
from testenv.build import PYTHON_PREFIX, others_may_enter
from testenv.profiles import Profile

PHASE_STATES = {
    "nap": {"sleep"},
    "wait_for_lock": {"futex"},
    "wait_for_data": {"recv"},
    "wait_for_peer": {"accept"},
    "wait_for_room": {"send"},
    "wait_for_event": {"poll"},
    "work": set(),
}

SECONDS = int(os.environ.get("CPROF_WALL_SECONDS", "6"))
CORES = 4
# A thread of the app is noticed up to 0.1 s after it began; and while all were idle there was a
# look each 0.1 s on average, so that the first one after that weighs as much, whatever it should.
# A window that is long enough hides both.
NOTICED_S = 0.4
# Every thread may be in these whatever it does: it takes the CPU and the GIL after each wait.
ANYWHERE = {"running", "runnable", "gil"}

# Who reads the states: as root all is open; a server that has changed its user cannot read
# /proc/self/task/TID/syscall until it has been reloaded.
USERS = {"syscall": None, "wchan": "www-data"}
# Of TCP, wchan does not tell whether it waits for data or for room.
BY_WCHAN = PHASE_STATES | {"wait_for_data": {"socket"}, "wait_for_room": {"socket"}}
# The less the machine is free, the more often a thread waits for the mutex in the interpreter's
# lock, which wchan shows as any other lock, or wakes up before the kernel told what it sleeps in.
LESS_BY_WCHAN = {"futex", "asleep"}


class Seen(NamedTuple):
    profile: Profile
    window: books.Window
    answers: list
    by_wchan: bool

    def books(self):
        return [book for answer in self.answers for book in answer["books"]]


def look(make, reader, path, connections, **options):
    server = make(
        app="wall_mix",
        cloudprofiler_output_interval=60,
        cloudprofiler_output_duration=SECONDS,
        **options,
    ).start()
    profile, answers = books.keep_busy(server, path, connections, SECONDS, reader)
    server.stop()
    by_wchan = "come from wchan" in server.log
    assert by_wchan == (options.get("user") is not None), server.log_tail()
    return Seen(profile, books.window_of(profile), answers, by_wchan)


def phase_of(sample):
    """The phase in which the sample was taken, if any: phases never nest."""
    return next((name for name in sample.names() if name in PHASE_STATES), None)


def ns_by_thread(profile):
    sums = {}
    for sample in profile.samples:
        thread = sample.labels.get("worker"), sample.labels.get("thread")
        sums[thread] = sums.get(thread, 0) + sample.ns
    return sums


def skip_unless_readable(user):
    """A user whose home is not that of the interpreter may not enter it."""
    if user and not others_may_enter(PYTHON_PREFIX):
        pytest.skip(f"needs an interpreter that {user} may run, which {PYTHON_PREFIX} is not: /usr")


@pytest.fixture(scope="module", params=USERS)
def mix(request, make_uwsgi_for_module, profile_reader):
    user = USERS[request.param]
    skip_unless_readable(user)
    return look(
        make_uwsgi_for_module, profile_reader, "/mix", CORES, processes=1, threads=CORES, user=user
    )


def test_each_phase_has_its_share(mix):
    truth, awake = {}, mix.profile.where(lambda sample: sample.labels["state"] != "runnable")
    for book in mix.books():
        for name, phase in books.phases(book["entries"], mix.window).items():
            truth[name] = truth.get(name, books.NOTHING).plus(phase)
    real = {name: phase.wall - phase.run_queue for name, phase in truth.items()}
    found = {name: awake.ns_of(name) / 1e9 for name in truth}
    looks = int(mix.profile.comment("off-cpu looks"))

    assert looks > 300 * SECONDS / 2
    # All threads are looked at together, and wait for each other: what counts are the moments.
    moments = looks / len(list(mix.books()))
    for name, seconds in real.items():
        share = seconds / sum(real.values())
        off = found[name] / sum(found.values()) - share
        print(f"{name}: {found[name]:.2f} s for {seconds:.2f} s, share {share:.3f} {off:+.4f}")
        assert abs(off) <= bounds.share(share, moments)
    print(f"{looks} looks; together {sum(found.values()) / sum(real.values()) - 1:+.4f}")


def test_each_busy_thread_has_the_whole_window(mix):
    found = ns_by_thread(mix.profile)

    off = {}
    for book in mix.books():
        seconds = books.seconds_in(book, mix.window)
        off[book["thread"]] = found.get(("1", book["thread"]), 0) / 1e9 - seconds
        print(f"{book['thread']}: {off[book['thread']]:+.3f} s of {seconds:.3f} s")
    assert len(off) == 2 * CORES
    assert max(map(abs, off.values())) <= max(bounds.MODEL * mix.window.seconds(), NOTICED_S)


def counts_by_phase_and_state(profile):
    counts = Counter()
    for sample in profile.samples:
        name, state = phase_of(sample), sample.labels["state"]
        if name is not None and state not in ANYWHERE:
            counts[name, state] += sample.count
    return counts


def test_each_wait_has_its_state(mix):
    counts = counts_by_phase_and_state(mix.profile)
    states = BY_WCHAN if mix.by_wchan else PHASE_STATES
    less = LESS_BY_WCHAN if mix.by_wchan else set()
    whole = sum(counts.values())
    right = sum(count for (name, state), count in counts.items() if state in states[name])
    not_wrong = sum(
        count for (name, state), count in counts.items() if state in states[name] | less
    )
    print(f"{right} right, {not_wrong - right} less than right, of {whole}: {counts}")

    # All threads are looked at together, and wait for each other.
    least = bounds.nearly_all(whole / len(list(mix.books())))
    assert not_wrong >= least * whole
    assert right >= least * whole


def test_waiting_for_the_interpreter_is_not_what_a_wait_is_for(mix):
    waits = mix.profile.where(lambda sample: PHASE_STATES.get(phase_of(sample)))
    gil = dict.fromkeys(PHASE_STATES, 0)
    for sample in waits.samples:
        if sample.labels["state"] == "gil":
            gil[phase_of(sample)] += sample.ns
    print({name: f"{ns / 1e9:.3f} s" for name, ns in gil.items()})

    assert sum(gil.values()) < bounds.MAJORITY * waits.total_ns


@pytest.fixture(scope="module", params=USERS)
def taking_turns(request, make_uwsgi_for_module, profile_reader):
    user = USERS[request.param]
    skip_unless_readable(user)
    return look(
        make_uwsgi_for_module, profile_reader, "/spin", CORES, processes=1, threads=CORES, user=user
    )


def test_one_thread_runs_while_three_wait_for_the_interpreter(taking_turns):
    seen = taking_turns
    found = seen.profile.where(lambda sample: "spin_until" in sample.names()).by_state()
    runnable = seen.profile.by_state().get("runnable", 0) / 1e9
    truth = books.NOTHING
    for book in seen.books():
        truth = truth.plus(books.clocks(book["entries"], seen.window))
    gil = truth.wall - truth.cpu - truth.run_queue
    print(f"truth: {truth}, gil {gil:.3f}; found {found}, runnable {runnable:.3f}")

    # The kernel books a wait for a CPU when it ends, which those at the window's end do later.
    bound = max(bounds.MODEL * truth.wall, CORES * NOTICED_S)
    assert abs(found["running"] / 1e9 - truth.cpu) <= bound
    assert abs(found["gil"] / 1e9 - gil) <= bound
    assert abs(runnable - truth.run_queue) <= bound
    rest = sum(ns for state, ns in found.items() if state not in ANYWHERE)
    assert rest <= bounds.MODEL * sum(found.values()), found


def test_four_processes_on_fewer_cpus_wait_for_a_cpu(make_uwsgi, profile_reader):
    seen = look(make_uwsgi, profile_reader, "/spin", CORES, processes=CORES)

    assert len(seen.answers) == CORES
    found = seen.profile.where(lambda sample: sample.labels["state"] == "runnable").total_ns / 1e9
    whole = seen.profile.total_ns / 1e9
    truth = books.NOTHING
    for book in seen.books():
        truth = truth.plus(books.clocks(book["entries"], seen.window))
    print(f"truth: {truth}; found: runnable {found:.3f}, in all {whole:.3f}")
    assert truth.run_queue > 0.2 * truth.wall, "there were enough CPUs"
    # The kernel books a wait when it ends, which that at the window's end does later.
    assert abs(found - truth.run_queue) <= max(bounds.MODEL * truth.wall, CORES * NOTICED_S)
    assert abs(whole - truth.wall) <= max(bounds.MODEL * truth.wall, CORES * NOTICED_S)
