"""The books that an app keeps of its own time (tests/apps/wall_mix.py, gevent_naps.py), cut to a
profile's window.

SPDX-License-Identifier: MIT
"""

import json
from bisect import bisect_right
from typing import NamedTuple

from .endpoint import Endpoint
from .wait import wait_for


class Window(NamedTuple):
    start: float  # by the clock of the day, as in the books
    end: float

    def seconds(self):
        return self.end - self.start

    def clip(self, moment):
        return min(max(moment, self.start), self.end)

    def part(self, start, end):
        """How much of the span lies in the window, as a part of it."""
        inside = min(end, self.end) - max(start, self.start)
        return max(0.0, inside) / (end - start) if end > start else 0.0


def window_of(profile):
    start = profile.message.time_nanos / 1e9
    return Window(start, start + profile.message.duration_nanos / 1e9)


class Phase(NamedTuple):
    wall: float  # seconds in the window, as are the others
    cpu: float
    run_queue: float

    def plus(self, other):
        return Phase(*(mine + its for mine, its in zip(self, other, strict=True)))


NOTHING = Phase(0.0, 0.0, 0.0)


def phases(entries, window):
    """A book of phases, summed up by their names."""
    sums = {}
    for name, start, end, cpu_ns, run_queue_ns in entries:
        part = window.part(start, end)
        entry = Phase((end - start) * part, cpu_ns / 1e9 * part, run_queue_ns / 1e9 * part)
        sums[name] = sums.get(name, NOTHING).plus(entry)
    return sums


def _around(entries, moment):
    index = min(max(bisect_right([entry[0] for entry in entries], moment), 1), len(entries) - 1)
    return entries[index - 1], entries[index]


def _at(entries, moment):
    """What a book of clocks says for a moment between two entries."""
    before, after = _around(entries, moment)
    part = (moment - before[0]) / (after[0] - before[0])
    pairs = zip(before[1:], after[1:], strict=True)
    return [left + (right - left) * part for left, right in pairs]


def clocks(entries, window):
    """A book of clocks: what they counted in the window while the book was kept."""
    start, end = max(window.start, entries[0][0]), min(window.end, entries[-1][0])
    (cpu, run_queue), (cpu_after, run_queue_after) = _at(entries, start), _at(entries, end)
    return Phase(end - start, (cpu_after - cpu) / 1e9, (run_queue_after - run_queue) / 1e9)


def unsettled_s(entries, window):
    """Run-queue time of which a book of clocks cannot tell whether it fell into the window: the
    kernel counts a wait for a CPU when it ends, and the clocks were read before and behind it."""
    around = [_around(entries, moment) for moment in window]
    return sum(after[2] - before[2] for before, after in around) / 1e9


def assert_kept(book, window):
    """The book is of use only if it was kept all through the window."""
    assert book["begin"] <= window.start and window.end <= book["end"]


def look_at_busy(server, path, requests, keepers, seconds, reader):
    """A wall profile of `seconds` of the started server, all of which so many requests last,
    by so many threads that keep books; and the books."""
    endpoint = Endpoint(server)
    marks = server.directory / "marks"
    marks.mkdir()
    marks.chmod(0o777)
    with server.load(path, threads=requests, count=requests) as load:
        wait_for(lambda: len(list(marks.iterdir())) == keepers, f"{keepers} busy threads")
        wall = server.directory / "wall.pb.gz"
        wall.write_bytes(endpoint.ask(f"/debug/pprof/wall?seconds={seconds}").body)
        (marks / "end").touch()
        load.join()
    assert not load.failures, load.failures[:3]
    books = [book for body in load.bodies for book in json.loads(body)["books"]]
    profile = reader.read(wall)
    for book in books:
        assert_kept(book, window_of(profile))
    return profile, books
