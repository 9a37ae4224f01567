"""Clients that ask without end, and remember of each request that failed when that was and which
process had begun to answer it (tests/apps/killed.py).

SPDX-License-Identifier: MIT
"""

import http.client
import threading
import time
from collections import Counter
from typing import NamedTuple

from testenv.load import UnixConnection

# How many clients ask for each path, one request after the other.
CLIENTS = {"/own?ms=5": 4, "/rest?ms=20": 2, "/message?ms=20": 1, "/spool?ms=20": 1}
WORK = "/own?ms=5"
WORK_NS = 5_000_000


class Failure(NamedTuple):
    path: str
    began: float  # by the clock of the day, as are profiles and events
    ended: float
    pid: int | None  # None: no answer had begun
    error: str


class Work(NamedTuple):
    began: float  # by the clock of the day
    ended: float
    pid: int


class Clients:
    """A context manager: the clients run in the background of its block. Each rests for `rest_s`
    behind a request."""

    def __init__(self, socket_path, rest_s):
        self.done = Counter()  # by path
        self.work = []  # answers to WORK: when they were awaited, and the pid
        self.last_answers = {}  # by pid: a moment up to which it certainly lived
        self.failures = []
        self._socket_path = socket_path
        self._rest_s = rest_s
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(path,))
            for path, count in CLIENTS.items()
            for _ in range(count)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, path):
        while not self._stop.is_set():
            began = time.time()
            self._note(path, began, *self._ask(path))
            self._stop.wait(self._rest_s)

    def _note(self, path, began, pid, error):
        with self._lock:
            if error:
                self.failures.append(Failure(path, began, time.time(), pid, error))
                return
            self.done[path] += 1
            self.last_answers[pid] = max(began, self.last_answers.get(pid, began))
            if path == WORK:
                self.work.append(Work(began, time.time(), pid))

    def _ask(self, path):
        """The pid that answered, if one did, and what went wrong; None: nothing."""
        pid = None
        connection = UnixConnection(self._socket_path)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            first = answer.readline()
            pid = int(first) if first.endswith(b"\n") else None
            rest = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return pid, repr(error)
        finally:
            connection.close()
        right = answer.status == 200 and pid and rest == b"done"
        return pid, None if right else f"status {answer.status}: {first + rest!r}"
