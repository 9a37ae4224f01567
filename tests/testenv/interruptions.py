"""What a signal to a sleeping thread would break, tried: calls in C that nobody repeats, answers
to slow clients, and timeouts that start anew whenever something interrupts them.

The app is tests/apps/blocking_calls.py.

SPDX-License-Identifier: MIT
"""

import json
import socket
import threading
import time
from typing import NamedTuple

from .build import SOURCE, build_library
from .load import get
from .uwsgi import QUICK, WITHOUT_PROFILER
from .wait import wait_for

APP = "blocking_calls"
PIECE_BYTES = 64 * 1024
MEGABYTE = 1024 * 1024
END_SECONDS = 60
NEVER_SECONDS = 30

PLAIN_TIMER_MS = 10


class Form(NamedTuple):
    processes: int
    threads: int
    downloads: int  # all at the same time
    megabytes: int  # of each
    seconds: float


class Outcome(NamedTuple):
    made: dict  # calls, by name, in all workers together
    interrupted: dict
    complete: int
    cut: list  # how many bytes of each download came that is not complete

    def all_made(self):
        return sum(self.made.values())

    def all_interrupted(self):
        return sum(self.interrupted.values())


def profiled(form):
    """Options of a server in which windows for CPU and wall time follow each other."""
    return {
        "app": APP,
        "processes": form.processes,
        "threads": form.threads,
        "cloudprofiler_period_ms": 1,
        **QUICK,
    }


def with_plain_timer(form, directory):
    """Options of a server without the profiler, with a timer of the plain kind in each thread."""
    directory.mkdir()
    library = build_library(SOURCE / "tests/eintr/plain_timer.c", directory / "plain_timer.so")
    return {
        "app": APP,
        "processes": form.processes,
        "threads": form.threads,
        "plugins": WITHOUT_PROFILER,
        "env": {
            "PLAIN_TIMER_LIBRARY": str(library),
            "PLAIN_TIMER_NS": str(PLAIN_TIMER_MS * 1_000_000),
        },
    }


def _connected(server):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(END_SECONDS)
    connection.connect(str(server.directory / "http.sock"))
    return connection


class SlowReaders:
    """Clients that each download so slowly that it takes `seconds`: the server must wait."""

    def __init__(self, server, form):
        self.bodies = []  # bytes received
        self._server = server
        self._form = form
        self._threads = [threading.Thread(target=self._run) for _ in range(form.downloads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception):
        self.join()

    def join(self):
        for thread in self._threads:
            thread.join()

    def _run(self):
        head_and_body = 0
        head = b""
        rate = self._form.megabytes * MEGABYTE / self._form.seconds
        start = time.monotonic()
        with _connected(self._server) as connection:
            request = f"GET /download?mb={self._form.megabytes} HTTP/1.0\r\n\r\n"
            connection.sendall(request.encode())
            while True:
                piece = connection.recv(PIECE_BYTES)
                if not piece:
                    break
                head = head if b"\r\n\r\n" in head else head + piece
                head_and_body += len(piece)
                time.sleep(max(0.0, start + head_and_body / rate - time.monotonic()))
        self.bodies.append(head_and_body - (head.index(b"\r\n\r\n") + 4))


def _counts(server, workers):
    """The answers of all workers, by pid."""
    found = {}

    def ask():
        answer = json.loads(get(server.directory / "http.sock", "/counts"))
        found[answer["pid"]] = answer["counts"]
        return len(found) == workers

    wait_for(ask, f"counts of {workers} workers", END_SECONDS)
    return found


def _sum(counts, key):
    sums = {}
    for calls in counts.values():
        for name, count in calls.items():
            sums[name] = sums.get(name, 0) + count[key]
    return sums


def run(server, form):
    """Loads a started server for as long as the form says."""
    server.wait_for_workers(form.processes)
    with SlowReaders(server, form) as readers:
        readers.join()
    counts = _counts(server, form.processes)
    whole = form.megabytes * MEGABYTE
    cut = sorted(size for size in readers.bodies if size != whole)
    return Outcome(
        made=_sum(counts, "made"),
        interrupted=_sum(counts, "interrupted"),
        complete=readers.bodies.count(whole),
        cut=cut,
    )


def seconds_until_closed(server, request, limit=NEVER_SECONDS):
    """How long the server keeps a connection on which `request` was sent and nothing follows;
    None: longer than `limit`."""
    with _connected(server) as connection:
        connection.sendall(request)
        connection.settimeout(limit)
        start = time.monotonic()
        try:
            while connection.recv(PIECE_BYTES):
                pass
        except TimeoutError:
            return None
        except ConnectionResetError:
            pass
        return time.monotonic() - start


# A body of which half comes: the app waits for the rest in uWSGI's read hook.
HALF_A_BODY = b"POST /read HTTP/1.0\r\nContent-Length: 1000\r\n\r\n" + bytes(500)
HANG = b"GET /hang HTTP/1.0\r\n\r\n"
