"""Requests over a unix socket, and many of them at once.

SPDX-License-Identifier: MIT
"""

import contextlib
import http.client
import itertools
import socket
import threading
import time

from .wait import wait_for

REQUEST_SECONDS = 60.0


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=REQUEST_SECONDS)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def request(socket_path, path):
    """Status, headers and body of an answer, read to its promised end."""
    connection = UnixConnection(socket_path)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def get(socket_path, path):
    """The body of a 200 answer; anything else raises."""
    status, _headers, body = request(socket_path, path)
    if status != 200:
        raise http.client.HTTPException(f"status {status}: {body[:200]!r}")
    return body


@contextlib.contextmanager
def asked(server, paths, ending=lambda: None):
    """Asks the server for all paths at once, in the background of the block. Its end calls `ending`
    and waits until each is answered, or its connection ends with its worker."""

    def ask(path):
        with contextlib.suppress(OSError):
            get(server.directory / "http.sock", path)

    asking = [threading.Thread(target=ask, args=(path,), daemon=True) for path in paths]
    for thread in asking:
        thread.start()
    yield
    ending()
    for thread in asking:
        thread.join()


class Load:
    """Threads that ask for one path, or several in turn, until told to stop, or until `count`
    requests are made. Each rests for `rest_s` behind an answer.

    As a context manager it runs in the background of the block. `done`, `failures` and `bodies`
    (the different answers) may be read at any time. A load never outlives `seconds`.
    """

    def __init__(self, socket_path, path, threads=2, count=None, seconds=120.0, rest_s=0.0):
        self.done = 0
        self.failures = []
        self.bodies = set()
        self._socket_path = socket_path
        self._paths = [path] if isinstance(path, str) else list(path)
        self._seconds = seconds
        self._rest_s = rest_s
        self._tickets = itertools.count() if count is None else iter(range(count))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self):
        self._deadline = time.monotonic() + self._seconds
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception):
        self._stop.set()
        self.join()

    def join(self):
        """Waits for the last answer; with a count, for the whole count."""
        for thread in self._threads:
            thread.join()

    def wait_for_requests(self, more):
        """Waits until `more` further requests were answered well."""
        goal = self.done + more
        wait_for(lambda: self.done >= goal, f"{more} answers under load: {self.failures[:3]}", 60)

    def wait_for_bodies(self, bodies):
        """Waits until each of `bodies` was answered at least once."""
        wait_for(lambda: bodies <= self.bodies, f"all of {bodies} as answers", 60)

    def _ticket(self):
        with self._lock:
            return next(self._tickets, None)

    def _run(self):
        while not self._stop.is_set() and time.monotonic() < self._deadline:
            ticket = self._ticket()
            if ticket is None:
                return
            try:
                body = get(self._socket_path, self._paths[ticket % len(self._paths)])
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.failures.append(repr(error))
            else:
                with self._lock:
                    self.done += 1
                    self.bodies.add(body)
            self._stop.wait(self._rest_s)


@contextlib.contextmanager
def held(socket_path, requests):
    """Sends each request, a path and its header lines, over a connection of its own, and reads no
    answer; the connections, which it yields, stay open until the end of the block."""
    connections = []
    with contextlib.ExitStack() as stack:
        for path, lines in requests:
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.settimeout(REQUEST_SECONDS)
            connection.connect(str(socket_path))
            head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *lines, "", ""])
            connection.sendall(head.encode())
            connections.append(connection)
        yield connections
