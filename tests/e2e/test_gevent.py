"""Greenlets of gevent: each waits on its own, and the hub only waits for work.

CPROF_WALL_SECONDS sets the length of each window (`make wall-truth`).

SPDX-License-Identifier: MIT
"""

import contextlib
import json
import os
from typing import NamedTuple

import pytest
from testenv import books, bounds, gevents, known
from testenv.profiles import Profile, wall_file_of

pytestmark = pytest.mark.skipif(bool(gevents.missing()), reason=gevents.missing() or "there is one")

SECONDS = int(os.environ.get("CPROF_WALL_SECONDS", "4"))
GREENLETS = 20
CROWD = 300
NAP_MS = 200
SHORT_NAP_MS = 40
LONG_NAP_MS = (SECONDS + 2) * 1000
WORK_MS = 5
TOIL_MS = 20
BLOCK_MS = 20

FIRST_GAP_S = 0.1  # the longest mean gap between a window's first looks (plugin/sample/pace.h)

WITHOUT_WAIT = {"running", "runnable", "gil"}


class Seen(NamedTuple):
    cpu: Profile
    wall: Profile
    book: list
    log: str

    def real(self, name):
        """Seconds of the waits called `name` that lie in the window."""
        window = books.window_of(self.wall)
        return sum(
            (end - start) * window.part(start, end) for own, start, end in self.book if own == name
        )

    def found(self, name):
        """Seconds of waiting with the function on the stack."""
        return self.asleep().ns_of(name) / 1e9

    def late_part(self):
        """How much more or less than the window its worker was sampled: the ticker comes late to
        its start or its end where the machine lets it wait."""
        (account,) = known.worker_accounts(self.wall)
        return abs(account["sampling_ns"] / 1e9 / books.window_of(self.wall).seconds() - 1)

    def looks(self, name):
        """How many looks saw a wait called `name`, if there is always one."""
        seen = self.asleep().where(lambda sample: name in sample.names()).total_count
        return seen * books.window_of(self.wall).seconds() / self.real(name)

    def chance(self, name, looks):
        """How many seconds found() may be off by chance alone."""
        waits = [(start, end) for own, start, end in self.book if own == name]
        return bounds.chance_of_waits(waits, books.window_of(self.wall), looks)

    def asleep(self):
        return self.wall.where(lambda sample: sample.labels["state"] not in WITHOUT_WAIT)


def look(make, reader, load, **options):
    """One window while each path of `load` is asked for by so many clients."""
    server = make(
        app="gevent_naps",
        plugins=gevents.plugins(),
        processes=1,
        gevent=GREENLETS,
        cloudprofiler_output_interval=60,
        cloudprofiler_output_duration=SECONDS,
        **options,
    ).start()
    server.wait_for_window()
    with contextlib.ExitStack() as clients:
        loads = [
            clients.enter_context(server.load(path, threads=threads))
            for path, threads in load.items()
        ]
        server.wait_for_window(is_open=False, seconds=SECONDS + 30)
    assert not [failure for one in loads for failure in one.failures]
    book = json.loads(server.get("/book"))
    cpu = server.wait_for_first_profile()
    wall = reader.read(wall_file_of(cpu))
    server.stop()
    return Seen(reader.read(cpu), wall, book, server.log)


def assert_found(seen, name, looks=None):
    """`looks`: as many as there are where they are rarest."""
    real, found = seen.real(name), seen.found(name)
    late, chance = seen.late_part() * real, seen.chance(name, looks or seen.looks(name))
    print(
        f"{name}: {found:.2f} s for {real:.2f} s, {found / real - 1:+.4f}, "
        f"late {late / real:.4f}, chance {chance / real:.4f}"
    )
    assert abs(found - real) <= bounds.MODEL * real + late + chance


@pytest.fixture(scope="module")
def naps(make_uwsgi_for_module, profile_reader):
    load = {f"/nap?ms={NAP_MS}": GREENLETS - 2, f"/work?ms={WORK_MS}": 1}
    return look(make_uwsgi_for_module, profile_reader, load, cloudprofiler_wall_idle="true")


def test_requests_that_sleep_carry_the_time_of_their_sleep(naps):
    assert naps.real("nap") > SECONDS * GREENLETS / 3
    assert_found(naps, "nap")
    in_nap = naps.wall.where(lambda sample: "nap" in sample.names())
    assert in_nap.by_state()["greenlet"] >= bounds.nearly_all(in_nap.total_count) * in_nap.total_ns


def test_the_hub_carries_none_of_it(naps):
    with_hub = naps.asleep().where(
        lambda sample: any("gevent/hub.py" in f.file and f.name == "run" for f in sample.frames)
    )

    assert with_hub.total_ns <= 0.001 * naps.wall.total_ns, with_hub.samples[:3]


def test_idle_is_the_hubs_own_wait(naps):
    seconds = books.window_of(naps.wall).seconds()
    idle = naps.wall.where(lambda sample: sample.names() == ("[idle]",)).by_state()

    print(f"[idle] {idle}, of {seconds:.2f} s: {naps.wall.by_state()}")
    assert 0.1 * seconds < idle["poll"] / 1e9 < seconds


def test_the_profile_of_the_cpu_shows_the_greenlet_that_runs(naps):
    burning = naps.cpu.where(lambda sample: "burn" in sample.names())

    assert burning.total_ns > 0.2 * naps.cpu.total_ns
    for sample in burning.samples:
        assert sample.names() == ("burn", "work", "application"), sample


def test_time_in_which_the_thread_is_busy_goes_to_whom_it_belongs(make_uwsgi, profile_reader):
    seen = look(
        make_uwsgi,
        profile_reader,
        {f"/nap?ms={SHORT_NAP_MS}": GREENLETS - 2, f"/toil?ms={TOIL_MS}": 1},
    )

    assert_found(seen, "nap")


def test_greenlets_of_a_worker_in_which_nothing_happens_have_all_their_time(
    make_uwsgi, profile_reader
):
    """They sleep until the window is over. With sleeps that end in it chance alone could take half
    a second of each: what happens between two of them falls where looks are rarest."""
    seen = look(make_uwsgi, profile_reader, {f"/nap?ms={LONG_NAP_MS}": 2})
    seconds = books.window_of(seen.wall).seconds()

    assert seen.real("nap") > SECONDS
    assert seen.looks("nap") < seconds / known.PERIOD_S / 2, "it was not quiet"
    assert_found(seen, "nap", looks=seconds / FIRST_GAP_S)
    assert seen.found("nap") <= 2 * seconds * (1 + seen.late_part()), "longer than the window"


@pytest.fixture(scope="module")
def crowd(make_uwsgi_for_module, profile_reader):
    load = {f"/crowd?count={CROWD}": 1, f"/block?ms={BLOCK_MS}": 1}
    return look(make_uwsgi_for_module, profile_reader, load)


def test_greenlets_that_come_and_go_by_hundreds_are_all_seen(crowd):
    assert crowd.real("short_life") > CROWD
    assert_found(crowd, "short_life")
    assert_found(crowd, "wait_for_crowd")


def test_a_call_that_blocks_the_thread_stands_in_its_greenlet(crowd):
    assert_found(crowd, "block")
    asleep = crowd.asleep().where(lambda sample: "block" in sample.names())
    print(asleep.by_state())
    assert asleep.by_state()["sleep"] >= bounds.nearly_all(asleep.total_count) * asleep.total_ns


def test_idle_is_left_out_and_nothing_is_missing(crowd):
    assert "[idle]" not in crowd.wall.functions()
    assert "greenlet" not in "\n".join(
        line for line in crowd.log.splitlines() if "warning" in line
    ), crowd.log


PLACES = 4096  # for greenlets in a process
TOO_MANY = PLACES + 500


def test_greenlets_beyond_those_that_are_followed_are_counted_and_the_log_says_so_once(
    uwsgi, profile_reader
):
    server = uwsgi(
        app="gevent_naps",
        plugins=gevents.plugins(),
        processes=1,
        gevent=GREENLETS,
        cloudprofiler_output_interval=3,
        cloudprofiler_output_duration=2,
    )

    with server.load(f"/crowd?count={TOO_MANY}", threads=1) as load:
        load.wait_for_requests(1)
        server.wait_for_window(is_open=False)
        profiles = server.wait_for_profiles(1)
    wall = profile_reader.read(wall_file_of(profiles[-1]))

    assert not load.failures, load.failures[:3]
    left_out = int(wall.comment("greenlets left out").split()[0])
    # Beside the crowd there are the request's greenlet and gevent's own.
    assert TOO_MANY - PLACES <= left_out <= TOO_MANY - PLACES + GREENLETS
    (warning,) = server.our_warnings
    assert "more than 4096 greenlets: " in warning
