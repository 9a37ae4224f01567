"""What a case of `make truth` found, and how far off it may be.

SPDX-License-Identifier: MIT
"""

from typing import NamedTuple


class Finding(NamedTuple):
    what: str
    off: float  # signed, as a part of one
    bound: float | None  # None: reported as it is

    def holds(self):
        return self.bound is None or abs(self.off) <= self.bound
