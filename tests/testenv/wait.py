"""Waiting for a condition, never for a time.

SPDX-License-Identifier: MIT
"""

import time

# Between two looks at a condition, which cost CPU on a machine that the servers need too: what
# takes long is seen to have come a little later, by this part of the wait.
LATE_PART = 1 / 16
LOOK_EVERY_S = (0.01, 0.1)  # at least and at most


def wait_for(condition, what, seconds=30.0):
    """Calls condition() until it gives something true, and returns that.

    Fails after `seconds`; `what` says in the message what never came.
    """
    started = time.monotonic()
    while True:
        result = condition()
        if result:
            return result
        waited = time.monotonic() - started
        if waited > seconds:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        soonest, latest = LOOK_EVERY_S
        time.sleep(min(max(soonest, waited * LATE_PART), latest))
