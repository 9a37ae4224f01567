"""Threads of which it is known what they have of the interpreter's lock.

    /pid        answers the worker's pid
    /start      starts them: one in hold(), three in want(), one in listen(), for good. Nothing can
                be asked for after it.

hold() is in a function of C that keeps the lock and never ends; want() asks for the lock again as
soon as it has given it up; listen() waits in recv without it.

SPDX-License-Identifier: MIT
"""

import os
import socket
import threading
import time

WAITERS = 3
NUMBERS = range(10**15)
PAIR = socket.socketpair()


def hold():
    sum(NUMBERS)


def want():
    while True:
        time.sleep(0)


def listen():
    PAIR[0].recv(1)


def start():
    for body in [listen] + WAITERS * [want] + [hold]:
        threading.Thread(target=body, daemon=True).start()


class Answer:
    """Starts the threads once its bytes are on their way: no more Python is run then."""

    def __init__(self, body):
        self._body = body

    def __iter__(self):
        yield self._body

    def close(self):
        start()


def application(environ, start_response):
    body = b"%d" % os.getpid()
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return Answer(body) if environ["PATH_INFO"] == "/start" else [body]
