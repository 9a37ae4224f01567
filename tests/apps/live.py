"""Requests that are slow by nature, and others.

    /socket          a websocket, until its client goes
    /events          a stream of events
    /poll/NAME       a long poll, answered by /release; so are streams
    /waiting         answers how many of these three there are
    /report/SECONDS  sleeps

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import threading
import time

import uwsgi

BEAT_SECONDS = 0.2
POLL_SECONDS = 120

released = threading.Event()
waiting = set()


@contextlib.contextmanager
def counted():
    one = object()
    waiting.add(one)
    try:
        yield
    finally:
        waiting.discard(one)


def live_socket():
    uwsgi.websocket_handshake()
    with counted(), contextlib.suppress(OSError):
        while True:
            uwsgi.websocket_recv()


def events():
    with counted():
        end = time.monotonic() + POLL_SECONDS
        while not released.wait(BEAT_SECONDS) and time.monotonic() < end:
            yield b": beat\n\n"


def long_poll():
    with counted():
        released.wait(POLL_SECONDS)


def write_report(seconds):
    time.sleep(seconds)


def application(environ, start_response):
    _, name, *rest = environ["PATH_INFO"].split("/")
    body = [str(os.getpid()).encode()]
    if name == "socket":
        live_socket()
        return []
    if name == "events":
        body = events()
    elif name == "poll":
        long_poll()
    elif name == "release":
        released.set()
    elif name == "report":
        write_report(float(rest[0]))
    elif name == "waiting":
        body = [str(len(waiting)).encode()]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return body
