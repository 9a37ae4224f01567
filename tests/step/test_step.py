"""Runs the programs that go through walker and recorder one machine instruction at a time.

Each reaches every instruction of the product that `make step` reaches, in fewer equal rounds.

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

SECONDS = 600

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="needs an x86-64 processor")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """All programs, started at once: each needs one processor for a few seconds, up to fifteen."""
    directory = tmp_path_factory.mktemp("step")
    started = {}
    for name in NAMES:
        with (directory / name).open("w") as output:
            command = [PROGRAMS / name, *ARGUMENTS.get(name, [])]
            started[name] = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    yield {name: (process, directory / name) for name, process in started.items()}
    for process in started.values():
        process.kill()
        process.wait()


def test_there_are_programs():
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_at_any_instruction(name, running):
    process, output = running[name]

    status = process.wait(SECONDS)

    print(output.read_text())
    assert status == 0
