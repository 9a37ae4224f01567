"""What may happen to a server's processes at any moment: kills, reloads, fewer and more workers.

SPDX-License-Identifier: MIT
"""

import math
import os
import re
import select
import signal
import threading
import time
from typing import NamedTuple

from testenv import processes
from testenv.uwsgi import GATEWAY_COMM
from testenv.wait import wait_for

RELOAD_SECONDS = 60
# Of itself, uWSGI 2.0 hangs when it is told to reload several times within a quarter of a second.
BETWEEN_RELOADS_S = 2

MULE_BORN = re.compile(r"^spawned uWSGI mule (\d+) \(pid: (\d+)\)", re.MULTILINE)
SPOOLER_BORN = re.compile(r"^spawned the uWSGI spooler on dir .* with pid (\d+)", re.MULTILINE)


class Event(NamedTuple):
    kind: str
    moment: float  # by the clock of the day, just before it
    pid: int | None = None  # whom it hit
    slot: str = ""  # the victim's, as profiles call it
    until: float = math.inf  # when victim or reload was gone; until then it may cut requests


class Deaths:
    """Notes when processes end."""

    def __init__(self):
        self.moments = {}  # by pid: by the clock of the day, just after it
        self._watched = set()

    def watch(self, pid):
        """From now on; a process that is gone already has no moment."""
        if pid in self._watched:
            return
        self._watched.add(pid)
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        threading.Thread(target=self._wait, args=(pid, handle), daemon=True).start()

    def _wait(self, pid, handle):
        end = select.poll()
        end.register(handle, select.POLLIN)
        end.poll()
        self.moments[pid] = time.time()
        os.close(handle)


def send(verb, pid, parent):
    """Sends a signal if the process lives and is a child of `parent`, whatever became of its
    number meanwhile; returns whether it was sent."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        found = processes.process(pid)
        if not found or found.parent != parent or found.state == "Z":
            return False
        signal.pidfd_send_signal(handle, verb)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def workers(server):
    return [(pid, str(number)) for number, pid in server.workers().items()]


def mules(server):
    return [(int(pid), f"mule {number}") for number, pid in MULE_BORN.findall(server.log)]


def spoolers(server):
    return [(int(pid), "spooler 1") for pid in SPOOLER_BORN.findall(server.log)]


def gateways(server):
    found = processes.children(server.master_pid)
    return [(one.pid, "") for one in found if one.name == GATEWAY_COMM]


# Of itself, uWSGI 2.0 ends all workers when one gets SIGTERM that has not begun to serve
# (tests/assumptions/sigterm_to_a_worker_that_starts.py).
ONLY_IF_IT_SERVES = ("SIGTERM worker",)
KILLS = {
    "SIGKILL worker": (signal.SIGKILL, workers),
    "SIGTERM worker": (signal.SIGTERM, workers),
    "SIGKILL mule": (signal.SIGKILL, mules),
    "SIGKILL spooler": (signal.SIGKILL, spoolers),
    "SIGKILL gateway": (signal.SIGKILL, gateways),
}
# uWSGI's own, found in its log.
NO_MERCY = "SIGKILL by uWSGI"
CHEAPED = "cheaped by uWSGI"
# Those that take a worker away in the middle of its requests.
CUTTING = ("SIGKILL worker", "SIGTERM worker", NO_MERCY, CHEAPED)

EXECUTED = "gracefully (RE)spawned uWSGI master"
CHAINED = "chain reloading complete"


def touch(server):
    path = server.directory / "uwsgi.ini"
    later = path.stat().st_mtime + 10  # uWSGI compares whole seconds
    os.utime(path, (later, later))


# What starts a reload, and the line of the log that ends it.
RELOADS = {
    "SIGHUP": (lambda server: server.reload_by_signal(), EXECUTED),
    "touch reload": (touch, EXECUTED),
    "chain reload": (lambda server: server.write_fifo("c"), CHAINED),
}
# Those that end all processes before the new master starts any.
EXECUTING = ("SIGHUP", "touch reload")
CHEAPER = {"cheaper up": "+", "cheaper down": "-"}
# How many of the others there are for each reload, which takes its time.
OTHERS = 3


class Events:
    """Makes events; `made` are those that took place, `deaths` those of workers. `serving` are the
    pids of those that have answered, as clients find them."""

    def __init__(self, server, random, serving, with_gateway):
        self.made = []
        self.deaths = Deaths()
        self._server = server
        self._random = random
        self._serving = serving
        self._deck = []
        others = [kind for kind in (*KILLS, *CHEAPER) if with_gateway or kind != "SIGKILL gateway"]
        self._kinds = [*RELOADS, *(others * OTHERS)]
        self._reload_ends = None  # the line of the last reload's end, and how many are wanted
        self._reload_at = None  # its place in `made`
        self._reload_over_at = -BETWEEN_RELOADS_S

    def make_one(self):
        """Makes the next event that is possible now; no kind comes oftener than it should."""
        for pid, _ in workers(self._server):
            self.deaths.watch(pid)
        if not self._deck:
            self._deck = self._random.sample(self._kinds, len(self._kinds))
        for kind in dict.fromkeys(self._deck):
            if self._make(kind):
                self._deck.remove(kind)
                return
        self.finish()

    def finish(self):
        """Waits until the last reload is over."""
        wait_for(self._reload_is_over, "the end of a reload", RELOAD_SECONDS)

    def _reload_is_over(self):
        if self._reload_ends:
            line, count = self._reload_ends
            if self._server.log.count(line) < count:
                return False
            self._reload_ends = None
            self._reload_over_at = time.monotonic()
            self.made[self._reload_at] = self.made[self._reload_at]._replace(until=time.time())
        return True

    def _may_reload(self):
        over = self._reload_is_over()
        return over and time.monotonic() > self._reload_over_at + BETWEEN_RELOADS_S

    def _make(self, kind):
        """Whether it was possible."""
        if kind in KILLS:
            return self._kill(kind)
        if kind in RELOADS and not self._may_reload():
            return False
        self.made.append(Event(kind, time.time()))
        if kind in RELOADS:
            self._reload_at = len(self.made) - 1
            reload, line = RELOADS[kind]
            self._reload_ends = (line, self._server.log.count(line) + 1)
            reload(self._server)
        else:
            self._server.write_fifo(CHEAPER[kind])
        return True

    def _kill(self, kind):
        verb, find = KILLS[kind]
        found = find(self._server)
        self._random.shuffle(found)
        for pid, slot in found:
            if kind in ONLY_IF_IT_SERVES and pid not in self._serving:
                continue
            moment = time.time()
            if send(verb, pid, self._server.master_pid):
                self.made.append(Event(kind, moment, pid, slot))
                return True
        return False
