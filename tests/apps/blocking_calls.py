"""An app whose threads block in C, in calls that a signal would interrupt, and count how often
that happens. Python would repeat such calls in silence; C libraries do not.

    /counts          answers, as JSON, the worker's pid and for each call how often it was made
                     and how often it was interrupted
    /download?mb=N   N MB, in pieces
    /read            answers the length of the request's body, once it is read
    /hang            does not answer

PLAIN_TIMER_LIBRARY in the environment (tests/eintr/plain_timer.c): each thread, uWSGI's too, gets
a timer that signals it by the wall clock, each PLAIN_TIMER_NS.

SPDX-License-Identifier: MIT
"""

import ctypes
import errno
import json
import math
import os
import select
import signal
import socket
import struct
import threading
import time
from urllib.parse import parse_qs

import burn
import uwsgi

BLOCK_S = 0.02
SPIN_LOOPS = 1000  # between two calls: ticks of the CPU time may fall right before the next one
PIECE = bytes(64 * 1024)
SEMAPHORE_BYTES = 64  # more than any libc's sem_t
SIGNAL_SET_BYTES = 128
EPOLL_EVENT_BYTES = 16

libc = ctypes.CDLL(None, use_errno=True)


class TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("fraction", ctypes.c_long))


def block_nanoseconds():
    return TimeSpec(0, int(BLOCK_S * 1e9))


def pair_with_timeout(kept):
    ours, theirs = socket.socketpair()
    limit_receiving(ours)
    kept += [ours, theirs]
    return ours.fileno()


def listener_with_timeout(kept):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind("")  # Linux chooses an abstract address
    listener.listen(1)
    limit_receiving(listener)
    kept.append(listener)
    return listener.fileno()


def limit_receiving(one):
    one.setsockopt(
        socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, int(BLOCK_S * 1_000_000))
    )


def make_poll(_kept):
    return lambda: libc.poll(None, 0, int(BLOCK_S * 1000))


def make_nanosleep(_kept):
    return lambda: libc.nanosleep(ctypes.byref(block_nanoseconds()), None)


def make_recv(kept):
    descriptor, buffer = pair_with_timeout(kept), ctypes.create_string_buffer(1)
    return lambda: libc.recv(descriptor, buffer, 1, 0)


def make_sem_timedwait(_kept):
    semaphore = ctypes.create_string_buffer(SEMAPHORE_BYTES)
    assert libc.sem_init(semaphore, 0, 0) == 0

    def call():
        fraction, seconds = math.modf(time.time() + BLOCK_S)
        return libc.sem_timedwait(
            semaphore, ctypes.byref(TimeSpec(int(seconds), int(fraction * 1e9)))
        )

    return call


def make_epoll_wait(kept):
    epoll, events = select.epoll(), ctypes.create_string_buffer(EPOLL_EVENT_BYTES)
    kept.append(epoll)
    return lambda: libc.epoll_wait(epoll.fileno(), events, 1, int(BLOCK_S * 1000))


def make_select(_kept):
    # In a timeval the fraction is in microseconds.
    return lambda: libc.select(
        0, None, None, None, ctypes.byref(TimeSpec(0, int(BLOCK_S * 1_000_000)))
    )


def make_sigtimedwait(_kept):
    signals = ctypes.create_string_buffer(SIGNAL_SET_BYTES)
    assert libc.sigaddset(signals, signal.SIGRTMAX - 1) == 0
    return lambda: libc.sigtimedwait(signals, None, ctypes.byref(block_nanoseconds()))


def make_accept(kept):
    descriptor = listener_with_timeout(kept)
    return lambda: libc.accept(descriptor, None, None)


CALLS = {
    "poll": make_poll,
    "nanosleep": make_nanosleep,
    "recv": make_recv,
    "sem_timedwait": make_sem_timedwait,
    "epoll_wait": make_epoll_wait,
    "select": make_select,
    "sigtimedwait": make_sigtimedwait,
    "accept": make_accept,
}

counts = {}
threads_with_timer = threading.local()


def start_plain_timer():
    """Once for each thread."""
    library = os.environ.get("PLAIN_TIMER_LIBRARY")
    if not library or hasattr(threads_with_timer, "library"):
        return
    threads_with_timer.library = ctypes.CDLL(library)
    period_ns = ctypes.c_long(int(os.environ["PLAIN_TIMER_NS"]))
    assert threads_with_timer.library.plain_timer_start(period_ns) == 0


def block_for_ever(name):
    start_plain_timer()
    kept = []  # what must live as long as the call is made
    call = CALLS[name](kept)
    count = counts[name]
    while True:
        if call() == -1 and ctypes.get_errno() == errno.EINTR:
            count["interrupted"] += 1
        count["made"] += 1
        burn.spin(SPIN_LOOPS)


def start_threads():
    for name in CALLS:
        counts[name] = {"made": 0, "interrupted": 0}
        threading.Thread(target=block_for_ever, args=(name,), name=name, daemon=True).start()


def application(environ, start_response):
    start_plain_timer()
    path = environ["PATH_INFO"]
    if path == "/hang":
        threading.Event().wait()
    if path == "/read":
        body = str(len(environ["wsgi.input"].read())).encode()
    else:
        body = json.dumps({"pid": os.getpid(), "counts": counts}).encode()
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    if path == "/download":
        megabytes = int(parse_qs(environ["QUERY_STRING"])["mb"][0])
        return (PIECE for _ in range(megabytes * 1024 * 1024 // len(PIECE)))
    return [body]


uwsgi.post_fork_hook = start_threads
