"""Loads a trivial app as fast as it goes under back-to-back CPU windows, at a usual period and at
the shortest one: thousands of short Python calls a second, where samplers crash.

usage: crash_load.py SECONDS   (`make crash-load`)

SECONDS is the length of each run. CRASH_LOAD_PYTHONS names the interpreters in make matrix's
words; default: 3.11 and 3.12, both of which must be there. The load is made by wrk, each request
on a connection of its own. Prints one line for each run; exit status 1 when a bound is broken.

SPDX-License-Identifier: MIT
"""

import argparse
import json
import shutil
import sys

import pythons
from soak import are_few, missed_text

MINORS = ((3, 11), (3, 12))
PERIODS_MS = (10, 1)
OVERHEAD_SECONDS = 120
WINDOWS_PART_MIN = 0.8
TOTAL_OFF_MAX = 0.02
# Of one for each period of CPU time: with perf events, time in the kernel gives a quarter of them.
SAMPLED_PART_MIN = 0.2

HEAD = ("CPython", "period", "seconds", "requests", "rate/s", "failed", "crashes", "windows")
WIDTHS = (16, 8, 9, 10, 8, 8, 9, 9)
COUNTS = ("samples", "ticks", "total/clock", "missed")
COUNT_WIDTHS = (10, 10, 13, 0)


def row(cells):
    widths = WIDTHS + COUNT_WIDTHS
    return "".join(str(cell).ljust(width) for cell, width in zip(cells, widths, strict=True))


def broken_bounds(found):
    total_ns, clock_ns, samples = found["total_ns"], found["clock_ns"], found["samples"]
    periods = clock_ns / 1e6 / found["period_ms"]
    bounds = {
        "a worker died": not found["crashes"],
        "a request failed": found["failed"] == 0,
        "no request was made": found["requests"] > 0,
        "errors of ours in the log": not found["errors"],
        "too few windows": found["windows"] >= WINDOWS_PART_MIN * found["windows_wanted"],
        "no sample": samples > 0,
        "too few samples for the CPU time": samples >= SAMPLED_PART_MIN * periods,
        "total is not the CPU time": abs(total_ns - clock_ns) <= TOTAL_OFF_MAX * clock_ns,
        "too many misses": are_few(found["misses"], samples),
    }
    return [what for what, holds in bounds.items() if not holds]


def result_row(target, found):
    return row(
        (
            target.name,
            f"{found['period_ms']} ms",
            f"{found['seconds']:.0f}",
            found["requests"],
            f"{found['requests'] / found['seconds']:.0f}",
            found["failed"],
            len(found["crashes"]),
            found["windows"],
            found["samples"],
            found["ticks"],
            f"{found['total_ns'] / max(1, found['clock_ns']):.3f}",
            missed_text(found["misses"]),
        )
    )


def load(target, period_ms, seconds):
    result = target.directory / f"crash-load-{period_ms}.json"
    result.unlink(missing_ok=True)
    pythons.run(
        target,
        "crash_load_server.py",
        [seconds, period_ms, result],
        f"crash-load-{period_ms}.log",
        seconds + OVERHEAD_SECONDS,
    )
    return json.loads(result.read_text())


def run_target(target, seconds):
    """What there is to complain of; prints the rows."""
    complaints = []
    try:
        pythons.prepare(target)
        for period_ms in PERIODS_MS:
            found = load(target, period_ms, seconds)
            print(result_row(target, found), flush=True)
            for what in broken_bounds(found):
                complaints.append(f"{target.name}, {period_ms} ms: {what}")
                complaints += [f"    {text}" for text in found["crashes"] + found["errors"]]
    except pythons.matrix.CommandFailed as failure:
        complaints.append(f"{target.name}: {failure}")
    return complaints


def arguments():
    parser = argparse.ArgumentParser(description="Loads a trivial app as fast as it goes.")
    parser.add_argument("seconds", type=pythons.seconds, help="of each run (CRASH_LOAD_SECONDS)")
    return parser.parse_args()


def main(seconds):
    pythons.matrix.end_children_too()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing (Debian: apt-get install wrk)")
    targets = pythons.targets("CRASH_LOAD_PYTHONS", MINORS)
    print(row(HEAD + COUNTS), flush=True)
    complaints = []
    for target in targets:
        complaints += run_target(target, seconds)
    print("\n".join(complaints))
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main(arguments().seconds)
