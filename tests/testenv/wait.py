"""Waiting for a condition, never for a time.

SPDX-License-Identifier: MIT
"""

import time

# Between two looks at a condition. It costs CPU on a machine that the servers need too.
LOOK_EVERY_S = 0.02


def wait_for(condition, what, seconds=30.0):
    """Calls condition() until it gives something true, and returns that.

    Fails after `seconds`; `what` says in the message what never came.
    """
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(LOOK_EVERY_S)
