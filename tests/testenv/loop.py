"""How long the gateway's loop let everybody wait, by its own book.

SPDX-License-Identifier: MIT
"""

import re

# What a turn may take, whatever the gateway does: work, and waits for anything but a processor
# (gateway/loop/turn_clock.h).
TURN_MS = 50


def longest_turn_in(metrics):
    """In milliseconds, as an answer of /metrics has it."""
    return float(re.search(r"^cloudprofiler_loop_longest_ms (\S+)$", metrics, re.MULTILINE)[1])


def longest_turn_ms(endpoint):
    return longest_turn_in(endpoint.ask("/metrics").text)
