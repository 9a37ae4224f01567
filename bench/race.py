"""The comparison: all contenders take turns under the same load, in random order.

A life is one start of all servers; several lives, because two starts of one server differ.

SPDX-License-Identifier: MIT
"""

import contextlib
import random
import time
from dataclasses import dataclass, field

import contenders
from contenders import Agent, Austin, Contender, Ours, OursAsleep, OursWithoutPerf, PySpy

NOTHING = "nothing"
NOTHING_AGAIN = "nothing, too"
OURS_PERF = "ours, perf"
OURS_TIMER = "ours, timer"
AGENT = "Google's agent"
PY_SPY = "py-spy"
AUSTIN = "austin"
OURS_WALL = "ours, wall"
OURS_BOTH = "ours, CPU, too"
AGENT_WALL = "agent, wall"

LIVES = 3
WARM_TURNS = 3  # caches fill, code is specialised, copied pages are


@dataclass
class Life:
    """One contender in one life."""

    turns: list = field(default_factory=list)  # None: lost
    dirty_bytes: float = 0.0
    findings: object = None
    crashes: int = 0
    failed_requests: int = 0


@contextlib.contextmanager
def running(entered):
    """Starts the servers, serves the first requests, and ends them after the block."""
    with contextlib.ExitStack() as ends:
        for one in entered:
            ends.callback(one.end)
            one.start()
        for one in entered:
            one.settle()
        for one in entered:
            for _ in range(WARM_TURNS):
                one.turn()
        yield


class Race:
    def __init__(self, workspace, plugin_dir, reader, proto, peers):
        self._workspace = workspace
        self._plugin_dir = plugin_dir
        self._reader = reader
        self._proto = proto
        self._peers = peers
        self._random = random.Random(1)

    def _plain(self, directory, **options):
        yield Contender(NOTHING, directory / "nothing", self._plugin_dir, **options)
        yield Contender(NOTHING_AGAIN, directory / "nothing-too", self._plugin_dir, **options)

    def _ours(self, directory, **options):
        arguments = (self._plugin_dir, self._reader)
        yield Ours(OURS_PERF, directory / "perf", *arguments, **options)
        yield OursWithoutPerf(OURS_TIMER, directory / "timer", *arguments, **options)

    def _agent(self, directory, name=AGENT, **options):
        arguments = (self._plugin_dir, self._peers.agent, self._proto)
        return Agent(name, directory / "agent", *arguments, **options)

    def _enter(self, directory):
        """All that can be had, profiling."""
        yield from self._plain(directory)
        yield from self._ours(directory)
        if self._peers.agent:
            yield self._agent(directory)
        if self._peers.py_spy:
            yield PySpy(PY_SPY, directory / "py-spy", self._plugin_dir, self._peers.py_spy)
        if self._peers.austin:
            yield Austin(AUSTIN, directory / "austin", self._plugin_dir, self._peers.austin)

    def _enter_idle(self, directory):
        """Those that live in the workers, while they do not profile."""
        yield from self._plain(directory)
        yield from self._ours(directory, interval_s=contenders.SPARSE_S)
        if self._peers.agent:
            yield self._agent(directory, setting="BENCH_AGENT_WAITS")

    def _enter_asleep(self, directory):
        """Those that profile wall time, under requests that sleep."""
        yield from self._plain(directory, path="/nap")
        kinds = {
            OURS_WALL: {"cloudprofiler_disable_cpu_profiling": "true"},
            OURS_BOTH: {},
        }
        for name, options in kinds.items():
            yield OursAsleep(
                name,
                directory / name.replace(", ", "-").replace(" ", "-"),
                self._plugin_dir,
                self._reader,
                path="/nap",
                cloudprofiler_disable_wall_profiling=None,
                **options,
            )
        if self._peers.agent:
            yield self._agent(directory, name=AGENT_WALL, setting="BENCH_AGENT_WALL", path="/nap")

    def idle_bytes(self):
        """Private dirty memory of a worker by contender, after the same requests."""
        directory = self._workspace / "idle"
        directory.mkdir(mode=0o755)
        entered = list(self._enter_idle(directory))
        with running(entered):
            for one in entered:
                if isinstance(one, Ours):
                    one.server.wait_for_first_profile()
                    one.server.wait_for_window(is_open=False)
                one.turn()
            return {one.name: one.dirty_bytes() for one in entered}

    def asleep(self, seconds):
        """One life of those that profile wall time, for each contender."""
        directory = self._workspace / "asleep"
        directory.mkdir(mode=0o755)
        entered = list(self._enter_asleep(directory))
        with running(entered):
            return self._take_turns(entered, seconds)

    def lives(self, seconds):
        """For each contender its lives, all of them together as long as asked."""
        found = {}
        for number in range(LIVES):
            directory = self._workspace / f"life-{number}"
            directory.mkdir(mode=0o755)
            entered = list(self._enter(directory))
            for name, life in self._live(entered, seconds / LIVES).items():
                found.setdefault(name, []).append(life)
        return found

    def _take_turns(self, entered, seconds):
        """A life of each that holds its turns."""
        lives = {one.name: Life() for one in entered}
        for one in entered:
            one.attach()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for one in self._random.sample(entered, len(entered)):
                lives[one.name].turns.append(one.turn())
        for one in entered:
            lives[one.name].crashes = one.crashes
            lives[one.name].failed_requests = one.failed_requests
        return lives

    def _live(self, entered, seconds):
        with running(entered):
            lives = self._take_turns(entered, seconds)
            for one in entered:
                lives[one.name].dirty_bytes = one.dirty_bytes()
            # What attaches to other processes ends first: nothing else is disturbed any more.
            for one in sorted(entered, key=lambda one: isinstance(one, Ours)):
                lives[one.name].findings = one.findings()
        return lives
