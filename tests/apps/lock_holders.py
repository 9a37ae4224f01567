"""Threads of which it is known what they have of the interpreter's lock.

    /pid        answers the worker's pid
    /start      starts them: one in hold(), three in want(), one in listen(), for good

hold() is in a function of C that keeps the lock for a good while each time; want() asks for the
lock again as soon as it has given it up; listen() waits in recv without it.

SPDX-License-Identifier: MIT
"""

import os
import socket
import threading
import time

WAITERS = 3
NUMBERS = range(20_000_000)
PAIR = socket.socketpair()


def hold():
    while True:
        sum(NUMBERS)


def want():
    while True:
        time.sleep(0)


def listen():
    PAIR[0].recv(1)


def start():
    for body in [hold, listen] + WAITERS * [want]:
        threading.Thread(target=body, daemon=True).start()


def application(environ, start_response):
    if environ["PATH_INFO"] == "/start":
        start()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]
