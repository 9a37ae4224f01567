"""The books that an app keeps of its own time (tests/apps/wall_mix.py, naps_in_gevent.py), cut to
a profile's window.

SPDX-License-Identifier: MIT
"""

import json
import time
from bisect import bisect_right
from typing import NamedTuple

from .profiles import wall_file_of

MARGIN_S = 0.3  # of the requests' life beyond the window's end


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


def _at(entries, moment):
    """What a book of clocks says for a moment between two entries."""
    index = min(max(bisect_right([entry[0] for entry in entries], moment), 1), len(entries) - 1)
    before, after = entries[index - 1], entries[index]
    part = (moment - before[0]) / (after[0] - before[0])
    pairs = zip(before[1:], after[1:], strict=True)
    return [left + (right - left) * part for left, right in pairs]


def clocks(entries, window):
    """A book of clocks: what they counted in the window while the book was kept."""
    start, end = max(window.start, entries[0][0]), min(window.end, entries[-1][0])
    (cpu, run_queue), (cpu_after, run_queue_after) = _at(entries, start), _at(entries, end)
    return Phase(end - start, (cpu_after - cpu) / 1e9, (run_queue_after - run_queue) / 1e9)


def seconds_in(book, window):
    """How long the book was kept in the window, whose end it must outlive."""
    assert book["end"] >= window.end, "the book ends before the window"
    return window.end - max(window.start, book["begin"])


def keep_busy(server, path, connections, window_seconds, reader):
    """Requests that last until the window of the started server is over. The wall profile of that
    window, and what the requests answered."""
    server.wait_for_window()
    until = time.time() + window_seconds + MARGIN_S
    load = server.load(f"{path}?until={until:.3f}", threads=connections, count=connections)
    with load:
        load.join()
    assert not load.failures, load.failures[:3]
    cpu = server.wait_for_first_profile()
    wall = reader.read(wall_file_of(cpu))
    return wall, [json.loads(body) for body in load.bodies]
