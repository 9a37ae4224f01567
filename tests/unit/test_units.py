"""Runs the unit test programs: one test each. `make unit` builds them.

SPDX-License-Identifier: MIT
"""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE.parents[1] / "build" / "unit"
NAMES = sorted(path.stem for pattern in ("test_*.c", "tsan_*.c") for path in HERE.glob(pattern))

SECONDS = 300
# A small quarantine of freed memory stays in the caches: a fifth less time where much is freed.
SANITIZERS = {
    "ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1:detect_stack_use_after_return=1"
    ":quarantine_size_mb=16",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}


def test_each_unit_test_source_was_built():
    missing = [name for name in NAMES if not os.access(PROGRAMS / name, os.X_OK)]

    assert NAMES, "no unit test source was found"
    assert not missing, f"run `make unit`: {missing}"


@pytest.mark.parametrize("name", NAMES)
def test_unit(name):
    program = PROGRAMS / name
    assert program.stat().st_mtime >= (HERE / f"{name}.c").stat().st_mtime, "run `make unit`"

    result = subprocess.run(
        [program],
        cwd=HERE.parents[1],
        env={**os.environ, **SANITIZERS},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )

    assert result.returncode == 0, f"status {result.returncode}\n{result.stdout}{result.stderr}"
