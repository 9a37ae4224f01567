"""Runs tests again and again, to find those that fail now and then.

usage: many.py TIMES BUSY JOBS SELECTION...   (`make test-many`)

BUSY processes spin beside the tests. SELECTION is what pytest takes: paths, test names, -k. A run's
output is build/many/NUMBER/log, with a file beside it for each test that failed. Prints a line for
each run; at the end each test that ever failed, with its files, and the times. Exit status 1 when
anything failed.

SPDX-License-Identifier: MIT
"""

import argparse
import contextlib
import re
import shutil
import statistics
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import NamedTuple

from testenv.spinners import spinning

DIRECTORY = Path("build/many")
KINDS = ("failure", "error")
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")


class Run(NamedTuple):
    """What came of one run."""

    status: int
    seconds: float
    tests: int
    failed: dict  # the file of each test that failed, by its name


def name_of(case):
    """A test's name as pytest takes it."""
    return f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}"


def write_failure(directory, case):
    """Writes what pytest knows of a failure, the test's output included; returns the file."""
    path = directory / f"{NOT_IN_NAMES.sub('-', name_of(case).rpartition('/')[2])[:120]}.log"
    parts = [part.text or part.get("message", "") for part in case if part.tag != "properties"]
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


def read_results(directory):
    """How many tests ran, and the file of each that failed."""
    try:
        cases = list(xml.parse(directory / "results.xml").iter("testcase"))
    except (FileNotFoundError, xml.ParseError):
        return 0, {}  # pytest itself failed, which its status shows
    failed = [case for case in cases if any(case.find(kind) is not None for kind in KINDS)]
    return len(cases), {name_of(case): write_failure(directory, case) for case in failed}


def run_once(number, jobs, selection):
    directory = DIRECTORY / str(number)
    directory.mkdir(parents=True)
    began = time.monotonic()
    with (directory / "log").open("wb") as log:
        status = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-n", str(jobs), "--dist", "loadfile"),
                *(f"--junitxml={directory}/results.xml", "-o", "junit_logging=all"),
                *("-o", "junit_log_passing_tests=false", *selection),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    return Run(status, time.monotonic() - began, *read_results(directory))


def show_run(number, run):
    what = f"{len(run.failed)} of {run.tests} tests failed"
    if run.status not in (0, 1):
        what += f", pytest ended with status {run.status}"
    print(f"run {number}: {what}, {run.seconds:.0f} s, {DIRECTORY}/{number}/log", flush=True)


def show_all(runs):
    """Prints the sum of it."""
    files = {}
    for run in runs:
        for name, file in run.failed.items():
            files.setdefault(name, []).append(file)
    for name, of_name in sorted(files.items(), key=lambda item: -len(item[1])):
        print(f"failed in {len(of_name)} of {len(runs)} runs: {name}")
        for file in of_name:
            print(f"    {file}")
    seconds = [run.seconds for run in runs]
    print(
        f"{len(runs)} runs, {sum(run.status != 0 for run in runs)} of them failed; seconds: "
        f"{min(seconds):.0f} to {max(seconds):.0f}, median {statistics.median(seconds):.0f}"
    )


def main(times, busy, jobs, selection):
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    runs = []
    with spinning(busy), contextlib.suppress(KeyboardInterrupt):
        for number in range(1, times + 1):
            runs.append(run_once(number, jobs, selection))
            show_run(number, runs[-1])
    if not runs:
        sys.exit(1)
    show_all(runs)
    sys.exit(1 if any(run.status != 0 for run in runs) else 0)


def count(text):
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("times", type=count, help="how many runs (TIMES)")
    parser.add_argument("busy", type=count, help="processes that spin beside them (BUSY)")
    parser.add_argument("jobs", type=count, help="test files at the same time (TEST_JOBS)")
    given, selection = parser.parse_known_args()
    main(given.times, given.busy, given.jobs, selection)
