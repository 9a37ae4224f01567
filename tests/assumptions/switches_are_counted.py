#!/usr/bin/python3
"""getrusage tells whether another thread has run: each time that one has run and sleeps again, the
process's switches have grown by one at least, beyond the asking thread's own; while it sleeps they
stand still; what it had stays in the sum when it has ended. /proc/self/task has a link for each
thread that lives, and two of its own.

usage: tests/assumptions/switches_are_counted.py   (`make assumptions`)

Prints one line; exit status 1 if it is not so, 77 where /proc does not show what threads wait in.

SPDX-License-Identifier: MIT
"""

import os
import resource
import sys
import threading
import time
from pathlib import Path

SYS_READ = {"x86_64": "0", "aarch64": "63"}[os.uname().machine]
TURNS = 200
SECONDS = 30


def _switches(who):
    usage = resource.getrusage(who)
    return usage.ru_nvcsw + usage.ru_nivcsw


def switches_of_others():
    """Of all threads but this one, which was not switched while it asked."""
    while True:
        own = _switches(resource.RUSAGE_THREAD)
        everyone = _switches(resource.RUSAGE_SELF)
        if _switches(resource.RUSAGE_THREAD) == own:
            return everyone - own


def threads():
    return Path("/proc/self/task").stat().st_nlink - 2


def wait_for_sleep(tid, descriptor):
    """Until the thread is off its processor for good: it reads a pipe that nobody writes to. While
    it waits for the interpreter, it sleeps in another call."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        call = Path(f"/proc/self/task/{tid}/syscall").read_text().split()
        if call[:2] == [SYS_READ, hex(descriptor)]:
            return
    raise AssertionError("the thread does not sleep")


class Sleeper:
    """A thread that sleeps until it is woken, answers, and sleeps again."""

    def __init__(self):
        self._reader, self._writer = os.pipe()
        self._answers, self._answer = os.pipe()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.wake()

    def _run(self):
        while os.read(self._reader, 1) == b"w":
            os.write(self._answer, b"a")

    def wake(self):
        os.write(self._writer, b"w")
        os.read(self._answers, 1)
        wait_for_sleep(self._thread.native_id, self._reader)

    def end(self):
        os.write(self._writer, b"e")
        self._thread.join()


def main():
    if not os.access(f"/proc/self/task/{threading.get_native_id()}/syscall", os.R_OK):
        print("not asked: /proc does not show what this process's threads wait in")
        return 77
    assert threads() == 1, "one thread is not one link beyond two"
    sleeper = Sleeper()
    assert threads() == 2, "a second thread is no further link"
    for turn in range(TURNS):
        before = switches_of_others()
        assert switches_of_others() == before, "a thread that sleeps is switched"
        sleeper.wake()
        assert switches_of_others() > before, f"a thread ran and was not switched, turn {turn}"
    before = switches_of_others()
    sleeper.end()
    assert switches_of_others() >= before, "the switches of a thread that has ended are gone"
    deadline = time.monotonic() + SECONDS
    while threads() != 1:
        assert time.monotonic() < deadline, "a thread that has ended keeps its link"
    print(
        f"ok: {TURNS} times a thread ran and slept again, and each time its switches were counted"
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AssertionError as error:
        sys.exit(f"switches_are_counted: not so: {error}")
