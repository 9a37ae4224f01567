"""Looks at a server's threads from outside, as root: what a server that has changed its user cannot
see of itself, and a profile of it cannot name.

The kernel refuses such a server the system call in which a thread sleeps. It shows a thread that
waits for the mutex in the interpreter's lock as one that waits for any lock, and of a thread that
its scheduler still keeps on the queue it shows no function. How often that is so is the machine's
affair: he who holds the mutex may have lost the CPU. So the onlooker counts it, in the same window.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import random
import threading
import time
from pathlib import Path

LOOK_S = 0.010  # between two looks, on average
# The system call in /proc/PID/task/TID/syscall, and its operation: glibc waits so for a mutex. For
# a condition variable or a semaphore it waits with an absolute time (FUTEX_WAIT_BITSET).
FUTEX = 202 if os.uname().machine == "x86_64" else 98
WAIT_PRIVATE = 0x80


def _read(task, file):
    return (task / file).read_text()


def _is_unnamed(task):
    with contextlib.suppress(OSError):
        number, *arguments = _read(task, "syscall").split()
        if number == "running":
            return False
        if int(number) == FUTEX and int(arguments[1], 16) == WAIT_PRIVATE:
            return True
        return _read(task, "wchan") == "0" and _read(task, "stat").rsplit(")", 1)[1][1] == "S"
    return False  # it is gone


class Onlooker:
    """Looks while it is entered. Each look: when, and how many threads sleep without a name."""

    def __init__(self, pid):
        self._tasks = Path(f"/proc/{pid}/task")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_on)
        self.looks = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _look_on(self):
        while not self._ended.wait(random.expovariate(1 / LOOK_S)):
            self.looks.append((time.time(), sum(map(_is_unnamed, self._tasks.iterdir()))))

    def spans(self, window):
        """The sleeps without a name in the window: (start, end), one for each thread in a look,
        which stands for the time since the one before."""
        moments = [window.clip(at) for at, _ in self.looks]
        numbers = [number for _, number in self.looks[1:]]
        spans = zip(moments, moments[1:], numbers, strict=False)
        return [(start, end) for start, end, number in spans for _ in range(number) if end > start]

    def looks_in(self, window):
        return sum(window.start <= at < window.end for at, _ in self.looks)
