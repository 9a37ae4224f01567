"""The middle of many measurements, and how far they scatter.

SPDX-License-Identifier: MIT
"""

import statistics
from typing import NamedTuple


class Spread(NamedTuple):
    count: int
    least: float
    lower: float  # a quarter of the values lies below
    median: float
    upper: float
    most: float

    @classmethod
    def of(cls, values):
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return cls(len(values), min(values), lower, median, upper, max(values))
