"""Plants one fault after another in a copy of the sources and runs the one test that must find it.

    python3 tests/mutants/run.py [--list] [NAME...]

Each test passes on the copy without a fault first. SPDX-License-Identifier: MIT
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import edits
from mutants import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
BUILD_SECONDS = 900
TEST_SECONDS = 600
PASSED, FAILED = 0, 1  # pytest's exit statuses; all others are no verdict


class NoVerdict(Exception):
    """The copy cannot be built, or a test does not run to its end."""


def copy_sources(target):
    """What git knows or would add, and what is built already, with its times."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    for folder in ("build", "cloudprofiler-web"):
        if (ROOT / folder).is_dir():
            shutil.copytree(ROOT / folder, target / folder, symlinks=True)
    for path in target.parents[: -len(target.parents) + 1]:
        path.chmod(0o755)  # servers of other users read it


def logged(command, directory, log, seconds, **environment):
    with log.open("a") as output:
        output.write(f"\n$ {' '.join(command)}\n")
        output.flush()
        return subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        ).returncode


def program_of(test):
    """The unit test's program, if the test is one."""
    return test.partition("test_unit[")[2].rstrip("]")


def build(copy, test, log):
    program = program_of(test)
    goals = [f"build/unit/{program}"] if program else ["build", "build/unit/windows_gateway"]
    # A mutant may leave a variable unused or a statement behind a return.
    status = logged(["make", "-j2", *goals, "STRICT="], copy, log, BUILD_SECONDS)
    if status != 0:
        raise NoVerdict("does not build")


def run_test(copy, test, log):
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test]
    status = logged(command, copy, log, TEST_SECONDS, CPROF_PLUGIN_DIR=str(copy))
    if status not in (PASSED, FAILED):
        raise NoVerdict(f"pytest ends with {status}")
    return status


def plant(copy, mutant):
    edit = edits.find(copy, mutant.function, mutant.old, mutant.new)
    (copy / edit.path).write_text(edit.after)
    return edit


def judge(copy, mutant, log):
    edit = plant(copy, mutant)
    try:
        build(copy, mutant.test, log)
        return "killed" if run_test(copy, mutant.test, log) == FAILED else "SURVIVES"
    finally:
        (copy / edit.path).write_text(edit.before)


def try_all(chosen, copy, logs):
    """Rows of (mutant, verdict, seconds)."""
    good = {}
    for mutant in chosen:
        log = logs / f"{mutant.name}.log"
        began = time.monotonic()
        try:
            if mutant.test not in good:
                build(copy, mutant.test, log)
                good[mutant.test] = run_test(copy, mutant.test, log) == PASSED
            verdict = judge(copy, mutant, log) if good[mutant.test] else "FAILS WITHOUT IT"
        except (NoVerdict, subprocess.TimeoutExpired, edits.EditError) as error:
            verdict = f"NO VERDICT: {error}"
        seconds = time.monotonic() - began
        print(f"{mutant.name:36} {verdict:10} {seconds:4.0f} s  {mutant.test}", flush=True)
        yield mutant, verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the faults and end")
    parser.add_argument("names", nargs="*", metavar="NAME", help="these faults alone")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    chosen = [m for m in MUTANTS if not arguments.names or m.name in arguments.names]
    if arguments.list:
        for mutant in chosen:
            print(f"{mutant.name:36} {mutant.promise}")
        return 0
    logs = ROOT / "build" / "mutants"
    shutil.rmtree(logs, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="cprof-mutants-") as folder:
        copy = Path(folder) / "copy"
        copy.mkdir()
        copy_sources(copy)
        logs.mkdir(parents=True)
        verdicts = [verdict for _, verdict in try_all(chosen, copy, logs)]
    killed = verdicts.count("killed")
    print(f"{killed} of {len(verdicts)} faults are found; logs: {logs.relative_to(ROOT)}")
    return 0 if killed == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
