"""The command that runs tests again and again finds those that fail now and then.

SPDX-License-Identifier: MIT
"""

import subprocess
import sys
from pathlib import Path

import pytest

MANY = Path(__file__).resolve().with_name("many.py")
# Fails in each second run.
TESTS = """
from pathlib import Path

def test_turns():
    runs = Path("runs")
    runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
    print("what the test printed")
    assert len(runs.read_text()) % 2, "an even run"

def test_right():
    pass
"""


@pytest.fixture
def many(tmp_path):
    (tmp_path / "test_turns.py").write_text(TESTS)

    def run(times, *selection):
        words = [sys.executable, MANY, str(times), "1", "0", *selection]
        return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_a_test_that_fails_now_and_then_is_shown_with_its_output(many, tmp_path):
    done = many(3, "test_turns.py")

    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert [line.split(",")[0] for line in lines[:3]] == [
        "run 1: 0 of 2 tests failed",
        "run 2: 1 of 2 tests failed",
        "run 3: 0 of 2 tests failed",
    ]
    assert lines[3] == "failed in 1 of 3 runs: test_turns.py::test_turns"
    text = (tmp_path / lines[4].strip()).read_text()
    assert "an even run" in text and "what the test printed" in text
    assert lines[5].startswith("3 runs, 1 of them failed; seconds: ")


def test_runs_without_a_failure_are_a_success(many):
    done = many(1, "test_turns.py", "-k", "right")

    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("1 runs, 0 of them failed; seconds: ")


def test_a_run_without_tests_is_a_failure(many):
    done = many(1, "absent.py")

    assert done.returncode == 1
    assert "pytest ended with status" in done.stdout
