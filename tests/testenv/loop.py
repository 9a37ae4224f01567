"""How long the gateway's loop let everybody wait, by its own book.

SPDX-License-Identifier: MIT
"""

# What a turn may take, whatever the gateway does: work, and waits for anything but a processor
# (gateway/loop/turn_clock.h).
TURN_MS = 50


def longest_turn_ms(endpoint):
    return endpoint.status()["gateway"]["loop_longest_ms"]
