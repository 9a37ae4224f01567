"""How far a figure of a real run may be from the truth: the one place where statistical assertions
get their bounds, from the counts of that very run.

A bound is the sum of three parts: chance, at SIGMAS standard deviations; the resolution of what is
compared, such as a clock that is read late; and the error of the model, which is at most MODEL.

SPDX-License-Identifier: MIT
"""

import math

# Chance alone exceeds five standard deviations, to either side, once in 1.7 million comparisons. A
# run of `make test` makes some 100 of them, and each statistical test is also run 200 times alone
# before it is trusted: 30,000 comparisons, in which chance fails one with a probability of 0.02. At
# four deviations it would fail two, and each would have to be explained. What the fifth costs is
# power: a fault has to move a figure by as much more, which more samples make up for.
SIGMAS = 5
# The largest systematic error that a figure of the profiler may have.
MODEL = 0.02
# The same of what a sleep is said to be in: it is proved that the thread slept when it was read.
MODEL_OF_STATES = 0.01
# The part of CPU time that no thread can be named for: those that live for less than it takes to
# find them.
UNSAMPLED = 0.03
# What is said to be most of something is more than this part of it. It is said of what is nearly
# all: with ENOUGH samples nine tenths are at least seven standard deviations away from it.
MAJORITY = 0.5
ENOUGH = 30


def chance(truth, samples):
    """How far off chance may put a share of so many independent samples. A share has steps of one
    sample."""
    return SIGMAS * math.sqrt(truth * (1 - truth) / samples) + 1 / samples


def share(truth, samples):
    """The bound of a share of so many independent samples, or of so many moments if what is looked
    at hangs together: threads that wait for each other are seen in one moment. The model's error
    lets chance do as much as it does nearer to one half."""
    nearer = truth + MODEL if truth < 0.5 else truth - MODEL
    return MODEL + chance(nearer, samples)


def nearly_all(samples):
    """The least part of the samples that is right where all should be."""
    return 1 - share(1, samples)


def chance_of_waits(waits, window, looks):
    """How many seconds chance may put the sum of waits off: (start, end) each. Looks come at
    memoryless gaps and their weights together are the window's length: what they miss of one state
    they give to another, so that only how far the number of waits strays from its mean counts."""
    edges = sorted(
        edge for start, end in waits for edge in ((window.clip(start), +1), (window.clip(end), -1))
    )
    sum_, square, number, before = 0.0, 0.0, 0, window.start
    for at, step in [*edges, (window.end, 0)]:
        sum_ += number * (at - before)
        square += number**2 * (at - before)
        number, before = number + step, at
    variance = window.seconds() / looks * (square - sum_**2 / window.seconds())
    return SIGMAS * math.sqrt(max(variance, 0.0))


def chance_of_two(first, second, at_once, window):
    """How many seconds chance may put apart two sums of the same waits, each found by looks of its
    own: (seconds, looks) each. Waits that begin together, `at_once` of them, are seen together."""
    looks = first[1] + second[1]
    mean = (first[0] * first[1] + second[0] * second[1]) / looks
    variance = window.seconds() * at_once * mean * (1 / first[1] + 1 / second[1])
    return SIGMAS * math.sqrt(variance)


def chance_of_intervals(count, deviation):
    """By what part chance may put off the sum of so many independent intervals, whose standard
    deviation is given as a part of their mean."""
    return SIGMAS * deviation / math.sqrt(count)
