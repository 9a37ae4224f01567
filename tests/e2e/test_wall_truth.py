"""Wall profiles of threads that keep books of what they do.

CPROF_WALL_SECONDS sets the length of each window (`make wall-truth`).

SPDX-License-Identifier: MIT
"""

import contextlib
import os
from collections import Counter
from typing import NamedTuple

import pytest
from testenv import books, bounds
from testenv.build import PYTHON_PREFIX, others_may_enter
from testenv.endpoint import TOKEN
from testenv.onlooker import Onlooker
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

SECONDS = int(os.environ.get("CPROF_WALL_SECONDS", "4"))
CORES = 4
# Every thread may be in these whatever it does: it takes the CPU and the GIL after each wait.
ANYWHERE = {"running", "runnable", "gil"}

# Who reads the states: as root all is open; a server that has changed its user cannot read
# /proc/self/task/TID/syscall until it has been reloaded.
USERS = {"syscall": None, "wchan": "www-data"}
# Of TCP, wchan does not tell whether it waits for data or for room.
BY_WCHAN = PHASE_STATES | {"wait_for_data": {"socket"}, "wait_for_room": {"socket"}}
# A thread that waits for the mutex in the interpreter's lock, which wchan shows as any other lock,
# or that wakes up before the kernel told what it sleeps in: true, but less than right. How many
# they are is counted from outside.
LESS_BY_WCHAN = {"futex", "asleep"}


class Seen(NamedTuple):
    profile: Profile
    window: books.Window
    books: list  # one a thread
    onlooker: Onlooker | None  # where states come from wchan

    def moments(self):
        """Of one thread: all are looked at together, and wait for each other."""
        return int(self.profile.comment("off-cpu looks")) / len(self.books)

    def unsettled_s(self):
        """Run-queue time of all threads that may belong to the window or not."""
        found_s = sum(books.unsettled_s(book["entries"], self.window) for book in self.books)
        print(f"unsettled: {found_s:.3f} s")
        return found_s

    def unnamed_s(self, found_s):
        """How much of the threads' sleep has no name that wchan could tell, at most: what the
        onlooker saw, and how far chance may put that and what was found apart."""
        if not self.onlooker:
            return 0
        spans = self.onlooker.spans(self.window)
        seen_s = sum(end - start for start, end in spans)
        at_once = len(spans) / len(set(spans)) if spans else 1
        seen = seen_s, self.onlooker.looks_in(self.window)
        chance = bounds.chance_of_two(seen, (found_s, self.moments()), at_once, self.window)
        print(f"no name: {found_s:.3f} s for {seen_s:.3f} s, chance {chance:.3f} s")
        return seen_s + chance


def look(make, reader, path, keepers=CORES, **options):
    server = make(
        app="wall_mix",
        cloudprofiler_output_dir=None,
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_http_token=TOKEN,
        **options,
    ).start()
    by_wchan = options.get("user") is not None
    with Onlooker(server.workers()[1]) if by_wchan else contextlib.nullcontext() as onlooker:
        found = books.look_at_busy(server, path, CORES, keepers, SECONDS, reader)
    server.stop()
    assert by_wchan == ("come from wchan" in server.log), server.log_tail()
    profile, own_books = found
    return Seen(profile, books.window_of(profile), own_books, onlooker)


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
        make_uwsgi_for_module,
        profile_reader,
        "/mix",
        keepers=2 * CORES,
        processes=1,
        threads=CORES,
        user=user,
    )


def test_each_phase_has_its_share(mix):
    truth, awake = {}, mix.profile.where(lambda sample: sample.labels["state"] != "runnable")
    for book in mix.books:
        for name, phase in books.phases(book["entries"], mix.window).items():
            truth[name] = truth.get(name, books.NOTHING).plus(phase)
    real = {name: phase.wall - phase.run_queue for name, phase in truth.items()}
    found = {name: awake.ns_of(name) / 1e9 for name in truth}
    looks, moments = int(mix.profile.comment("off-cpu looks")), mix.moments()

    assert moments >= bounds.ENOUGH
    for name, seconds in real.items():
        share = seconds / sum(real.values())
        off = found[name] / sum(found.values()) - share
        print(f"{name}: {found[name]:.2f} s for {seconds:.2f} s, share {share:.3f} {off:+.4f}")
        assert abs(off) <= bounds.share(share, moments)
    print(f"{looks} looks; together {sum(found.values()) / sum(real.values()) - 1:+.4f}")


def test_each_busy_thread_has_the_whole_window(mix):
    found = ns_by_thread(mix.profile)

    off = {}
    for book in mix.books:
        off[book["thread"]] = found.get(("1", book["thread"]), 0) / 1e9 - mix.window.seconds()
    print("off:", {name: round(seconds, 3) for name, seconds in off.items()})
    assert len(off) == 2 * CORES
    assert max(map(abs, off.values())) <= bounds.MODEL * mix.window.seconds()


def ns_by_phase_and_state(profile):
    sums = Counter()
    for sample in profile.samples:
        name, state = phase_of(sample), sample.labels["state"]
        if name is not None and state not in ANYWHERE:
            sums[name, state] += sample.ns
    return sums


def test_each_wait_has_its_state(mix):
    sums = ns_by_phase_and_state(mix.profile)
    states, less = (BY_WCHAN, LESS_BY_WCHAN) if mix.onlooker else (PHASE_STATES, set())
    whole = sum(sums.values())
    right = sum(ns for (name, state), ns in sums.items() if state in states[name])
    not_wrong = sum(ns for (name, state), ns in sums.items() if state in states[name] | less)
    print(f"right {right / whole:.4f}, not wrong {not_wrong / whole:.4f} of {whole / 1e9:.3f} s")
    print({f"{name} {state}": f"{ns / 1e9:.3f} s" for (name, state), ns in sums.items()})

    assert not_wrong >= (1 - bounds.MODEL_OF_STATES) * whole
    unnamed_s = mix.unnamed_s((not_wrong - right) / 1e9)
    assert right >= (1 - bounds.MODEL_OF_STATES) * whole - 1e9 * unnamed_s


def stays(seen):
    """Of each phase with a wait, by its name: the end of each stay, and how long its thread was
    neither on a CPU nor ready for one."""
    found = {}
    for book in seen.books:
        for name, start, end, cpu_ns, run_queue_ns in book["entries"]:
            if PHASE_STATES[name] and seen.window.part(start, end):
                stay = end - start - (cpu_ns + run_queue_ns) / 1e9
                found.setdefault(name, []).append((end, stay))
    return found


def test_waiting_for_the_interpreter_is_not_what_a_wait_is_for(mix):
    waits = mix.profile.where(lambda sample: PHASE_STATES.get(phase_of(sample)))
    clip, moments = mix.window.clip, mix.moments()
    error = bounds.MODEL_OF_STATES * waits.total_ns / 1e9

    for name, ended in stays(mix).items():
        # What a stay has beyond the shortest one of its phase is the most that it waited for the
        # interpreter. That much is known well of hrtimers, and to two jiffies of a socket's limit.
        shortest = min(stay for _, stay in ended)
        longer = [(end - (stay - shortest), end) for end, stay in ended]
        most = sum(clip(end) - clip(start) for start, end in longer)
        chance = bounds.chance_of_waits(longer, mix.window, moments)
        gil = waits.where(lambda s, name=name: phase_of(s) == name).by_state().get("gil", 0) / 1e9
        print(f"{name}: gil {gil:.3f} s, {most:.3f} s at most, chance {chance:.3f} s")
        assert gil <= most + chance + error


@pytest.fixture(scope="module", params=USERS)
def taking_turns(request, make_uwsgi_for_module, profile_reader):
    user = USERS[request.param]
    skip_unless_readable(user)
    return look(
        make_uwsgi_for_module, profile_reader, "/spin", processes=1, threads=CORES, user=user
    )


def test_one_thread_runs_while_three_wait_for_the_interpreter(taking_turns):
    seen = taking_turns
    found = seen.profile.where(lambda sample: "spin" in sample.names()).by_state()
    runnable = seen.profile.by_state().get("runnable", 0) / 1e9
    truth = books.NOTHING
    for book in seen.books:
        truth = truth.plus(books.clocks(book["entries"], seen.window))
    gil = truth.wall - truth.cpu - truth.run_queue
    print(f"truth: {truth}, gil {gil:.3f}; found {found}, runnable {runnable:.3f}")

    rest = sum(ns for state, ns in found.items() if state not in ANYWHERE)
    unnamed_s = seen.unnamed_s(rest / 1e9)
    bound = bounds.MODEL * truth.wall
    assert abs(found["running"] / 1e9 - truth.cpu) <= bound
    bound += seen.unsettled_s()
    assert abs(runnable - truth.run_queue) <= bound
    assert -bound <= gil - found["gil"] / 1e9 <= bound + unnamed_s
    assert rest <= bounds.MODEL_OF_STATES * sum(found.values()) + 1e9 * unnamed_s, found


def test_four_processes_on_fewer_cpus_wait_for_a_cpu(make_uwsgi, profile_reader):
    seen = look(make_uwsgi, profile_reader, "/spin", processes=CORES)

    assert len(seen.books) == CORES
    found = seen.profile.where(lambda sample: sample.labels["state"] == "runnable").total_ns / 1e9
    whole = seen.profile.total_ns / 1e9
    truth = books.NOTHING
    for book in seen.books:
        truth = truth.plus(books.clocks(book["entries"], seen.window))
    print(f"truth: {truth}; found: runnable {found:.3f}, in all {whole:.3f}")
    assert truth.run_queue > 0.2 * truth.wall, "there were enough CPUs"
    bound = bounds.MODEL * truth.wall + seen.unsettled_s()
    assert abs(found - truth.run_queue) <= bound
    assert abs(whole - truth.wall) <= bound
