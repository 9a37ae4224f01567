"""Soaks the profiler: the torture app under back-to-back windows, on several CPythons.

usage: soak.py LIBRARY SECONDS   (`make soak`)

LIBRARY is that of c_threads.c. In the environment:

SOAK_PYTHONS       the interpreters, in make matrix's words; default: 3.8, 3.11, 3.12 and 3.13,
                   all of which must be there
SOAK_WITHOUT_PERF  set: perf_event_open is refused, so that the timer engine does all

Prints one line for each interpreter; exit status 1 when a bound is broken. Logs and results lie
in build/matrix/<version>/.

SPDX-License-Identifier: MIT
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pythons
from testenv.loop import TURN_MS

MINORS = ((3, 8), (3, 11), (3, 12), (3, 13))
# Beyond the seconds of load: the lie, the last windows, the reading of all profiles.
OVERHEAD_SECONDS = 120
READING_FACTOR = 4

WINDOWS_PART_MIN = 0.8  # of those that fit into the time
SAMPLES_PER_S_MIN = 100
UNIT_PLACES_PER_S_MIN = 10
THREADS_PER_S_MIN = 1000
MISSED_PART_MAX = 0.05  # of the samples
# Code that the interpreter or a library makes at run time is in no source; a few such are seen.
UNCHECKED_PART_MAX = 0.001  # of what was checked

HEAD = (
    "CPython",
    "seconds",
    "requests",
    "failed",
    "threads/s",
    "windows",
    "samples",
    "checked",
    "wrong",
    "lies",
    "crashes",
    "turn ms",
    "missed",
)
WIDTHS = (16, 8, 9, 7, 10, 8, 9, 10, 7, 7, 8, 9, 0)


def row(cells):
    text = "".join(str(cell).ljust(width) for cell, width in zip(cells, WIDTHS, strict=True))
    return text.rstrip()


def missed_text(misses):
    return ", ".join(f"{reason} {count}" for reason, count in sorted(misses.items())) or "0"


def are_few(misses, samples):
    """Whether the misses are within their bound; a thread that blocks the signal is no miss of
    ours."""
    missed = sum(count for reason, count in misses.items() if reason != "blocked")
    return missed <= MISSED_PART_MAX * samples


def broken_bounds(found):
    """What is wrong with a result, in words; empty: nothing."""
    seconds, samples = found["seconds"], found["samples"]
    bounds = {
        "a worker died": not found["crashes"],
        "a request failed": not found["failures"],
        "errors of ours in the log": not found["errors"],
        "wrong names": found["wrong"] == 0,
        "a lie that was told on purpose was not found": found["lies_found"] > 0,
        "too much that nobody could check": (
            found["unchecked"] <= UNCHECKED_PART_MAX * found["checked"]
        ),
        "a turn of the gateway's loop was too long": found["longest_turn_ms"] < TURN_MS,
        "rejected records": found["rejected"] == 0,
        "a log was full": found["log_full"] == 0,
        "too few windows": found["windows"] >= WINDOWS_PART_MIN * seconds,
        "too few samples": samples >= SAMPLES_PER_S_MIN * seconds,
        "too few units seen": found["unit_places"] >= UNIT_PLACES_PER_S_MIN * seconds,
        "too few threads": found["threads_per_s"] >= THREADS_PER_S_MIN,
        "too many misses": are_few(found["misses"], samples),
    }
    return [what for what, holds in bounds.items() if not holds]


def soak(target, library, seconds):
    result = target.directory / "soak.json"
    result.unlink(missing_ok=True)
    pythons.prepare(target)
    limit = OVERHEAD_SECONDS + READING_FACTOR * seconds
    pythons.run(target, "soak_server.py", [seconds, library, result], "soak-run.log", limit)
    return json.loads(result.read_text())


def result_row(target, found):
    return row(
        (
            target.name,
            f"{found['seconds']:.0f}",
            found["requests"],
            len(found["failures"]),
            f"{found['threads_per_s']:.0f}",
            found["windows"],
            found["samples"],
            found["checked"],
            found["wrong"],
            found["lies_found"],
            len(found["crashes"]),
            f"{found['longest_turn_ms']:.1f}",
            missed_text(found["misses"]),
        )
    )


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", type=Path, help="made of c_threads.c")
    parser.add_argument("seconds", type=pythons.seconds, help="of each run (SOAK_SECONDS)")
    found = parser.parse_args()
    if not found.library.is_file():
        parser.error(f"no library {found.library}, which `make soak` builds")
    return found


def main(library, seconds):
    pythons.matrix.end_children_too()
    targets = pythons.targets("SOAK_PYTHONS", MINORS)
    print(row(HEAD), flush=True)
    complaints = []
    for target in targets:
        try:
            found = soak(target, library, seconds)
        except pythons.matrix.CommandFailed as failure:
            print(row((target.name, *["-"] * (len(HEAD) - 1))), flush=True)
            complaints.append(f"{target.name}: {failure}")
            continue
        print(result_row(target, found), flush=True)
        for what in broken_bounds(found):
            complaints.append(f"{target.name}: {what}")
            details = found["findings"] + found["failures"] + found["crashes"] + found["errors"]
            complaints += [f"    {text}" for text in details[:10]]
    print("\n".join(complaints))
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    asked = arguments()
    main(asked.library.resolve(), asked.seconds)
