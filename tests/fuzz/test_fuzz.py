"""Runs each fuzz target on the inputs that are kept for it. `make fuzz-programs` builds them.

SPDX-License-Identifier: MIT
"""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE.parents[1] / "build" / "fuzz"
NAMES = sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.c"))

SECONDS = 120
SANITIZERS = {
    "ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def test_each_corpus_belongs_to_a_target():
    assert NAMES, "no fuzz target was found"
    assert sorted(path.name for path in (HERE / "corpus").iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_kept_inputs_are_survived(name):
    program = PROGRAMS / f"fuzz_{name}"
    inputs = sorted((HERE / "corpus" / name).iterdir())
    assert inputs
    assert program.stat().st_mtime >= (HERE / f"fuzz_{name}.c").stat().st_mtime, (
        "run `make fuzz-programs`"
    )

    result = subprocess.run(
        [program, *inputs],
        env={**os.environ, **SANITIZERS},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )

    assert result.returncode == 0, f"status {result.returncode}\n{result.stderr[-8000:]}"
