"""Processes that leave no CPU idle.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import subprocess


def for_each_cpu(count):
    """So many processes for each CPU that the test may use."""
    return count * len(os.sched_getaffinity(0))


@contextlib.contextmanager
def spinning(count):
    """So many processes that keep a CPU busy, for as long as the block lasts."""
    spinners = [subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"]) for _ in range(count)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
