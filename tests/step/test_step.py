"""Runs the programs that go through the recorder one machine instruction at a time.

SPDX-License-Identifier: MIT
"""

import platform
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE.parents[1] / "build" / "step"
NAMES = sorted(path.stem for path in HERE.glob("step_*.c"))
ARGUMENTS = {"step_walker": [HERE / "workload.py"]}

SECONDS = 300

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the trap flag that is used is x86-64's"
)


def test_there_are_programs():
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_at_any_instruction(name):
    result = subprocess.run(
        [PROGRAMS / name, *ARGUMENTS.get(name, [])],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    print(result.stdout)
    assert result.returncode == 0, f"{result.stdout}{result.stderr}"
