"""Requests that get stuck, each in a function of its own: in Python, asleep, in C code that keeps
the GIL, in a deadlock. /hold/SECONDS spins and holds a lock,
/lock/SECONDS waits for one, /nap/SECONDS sleeps and /crunch/SECONDS runs a C library, and then they
end.

SPDX-License-Identifier: MIT
"""

import ctypes
import os
import threading
import time
import zlib

FOR_EVER_SECONDS = 600
NOISE = os.urandom(1 << 20)

one, other = threading.Lock(), threading.Lock()
libc_with_gil = ctypes.PyDLL(None)


def spin_for_ever():
    while True:
        pass


def sleep_for_ever():
    time.sleep(FOR_EVER_SECONDS)


def sleep_in_c_with_gil():
    libc_with_gil.sleep(FOR_EVER_SECONDS)


def take_one_then_other(has_one):
    with one:
        has_one.set()
        with other:
            pass


def take_other_then_one():
    has_one = threading.Event()
    with other:
        threading.Thread(target=take_one_then_other, args=(has_one,), daemon=True).start()
        has_one.wait()
        with one:
            pass


def spin_holding_lock(seconds):
    end = time.monotonic() + seconds
    with one:
        while time.monotonic() < end:
            pass


def wait_for_lock(seconds):
    """For a lock that its own thread holds: nobody gives it back."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire(timeout=seconds)


def nap(seconds):
    time.sleep(seconds)


def crunch(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        zlib.adler32(NOISE)


TIMED = {"hold": spin_holding_lock, "lock": wait_for_lock, "nap": nap, "crunch": crunch}
STUCK = {
    "/spin": spin_for_ever,
    "/sleep": sleep_for_ever,
    "/c": sleep_in_c_with_gil,
    "/deadlock": take_other_then_one,
}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path in STUCK:
        STUCK[path]()
    elif path.count("/") == 2:
        _, name, seconds = path.split("/")
        TIMED[name](float(seconds))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
