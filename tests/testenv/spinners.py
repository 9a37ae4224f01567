"""Processes that leave no CPU idle.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import subprocess


@contextlib.contextmanager
def spinning(per_cpu):
    """So many for each CPU that the test may use."""
    count = per_cpu * len(os.sched_getaffinity(0))
    spinners = [subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"]) for _ in range(count)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
