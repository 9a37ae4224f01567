"""Loads a trivial app as fast as it goes under back-to-back CPU windows, at a usual period and at
the shortest one: thousands of short Python calls a second, where samplers crash.

usage: crash_load.py SECONDS   (`make crash-load`)

SECONDS is the length of each run. CRASH_LOAD_PYTHONS names the interpreters in tools/matrix's
words; default: 3.11 and 3.12, where they are found. The load is made by wrk, each request on a
connection of its own. Prints one line for each run; exit status 1 when a worker died, a request
failed or a profile was missing.

SPDX-License-Identifier: MIT
"""

import json
import shutil
import sys

import pythons

MINORS = ((3, 11), (3, 12))
PERIODS_MS = (10, 1)
OVERHEAD_SECONDS = 120
WINDOWS_PART_MIN = 0.8

HEAD = ("CPython", "period", "seconds", "requests", "rate/s", "failed", "crashes", "windows")
WIDTHS = (16, 8, 9, 10, 8, 8, 9, 9)
COUNTS = ("samples", "ticks", "total/clock", "missed")
COUNT_WIDTHS = (10, 10, 13, 0)


def row(cells):
    widths = WIDTHS + COUNT_WIDTHS
    return "".join(str(cell).ljust(width) for cell, width in zip(cells, widths, strict=True))


def missed_text(misses):
    return ", ".join(f"{reason} {count}" for reason, count in sorted(misses.items())) or "0"


def broken_bounds(found):
    bounds = {
        "a worker died": not found["crashes"],
        "a request failed": found["failed"] == 0,
        "no request was made": found["requests"] > 0,
        "errors of ours in the log": not found["errors"],
        "too few windows": found["windows"] >= WINDOWS_PART_MIN * found["windows_wanted"],
        "no sample": found["samples"] > 0,
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


def main(seconds):
    if not shutil.which("wrk"):
        sys.exit("wrk is missing (Debian: apt-get install wrk)")
    print(row(HEAD + COUNTS), flush=True)
    complaints = []
    for target in pythons.targets("CRASH_LOAD_PYTHONS", MINORS):
        complaints += run_target(target, seconds)
    print("\n".join(complaints))
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main(float(sys.argv[1]))
