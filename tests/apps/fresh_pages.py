"""An app that mostly touches fresh pages: see two_parts.py.

SPDX-License-Identifier: MIT
"""

import mmap

import two_parts

PAGES = 512
_ones = b"1" * PAGES


def touch_fresh_pages(rounds):
    while rounds:
        with mmap.mmap(-1, PAGES * mmap.PAGESIZE) as memory:
            memory[:: mmap.PAGESIZE] = _ones
        rounds -= 1


application = two_parts.TwoParts(touch_fresh_pages)
