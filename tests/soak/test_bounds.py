"""The soak's and the crash load's bounds, and which interpreters they and make matrix take.

SPDX-License-Identifier: MIT
"""

import argparse
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import crash_load
import pythons
import soak

matrix = pythons.matrix

GOOD_SOAK = {
    "seconds": 120.0,
    "crashes": [],
    "failures": [],
    "errors": [],
    "wrong": 0,
    "lies_found": 2719,
    "checked": 629002,
    "unchecked": 31,
    "rejected": 0,
    "log_full": 0,
    "windows": 121,
    "samples": 77917,
    "unit_places": 70518,
    "threads_per_s": 1788.3,
    "longest_turn_ms": 4.8,
    "misses": {"entry": 115, "blocked": 90000},
}
GOOD_LOAD = {
    "period_ms": 10,
    "requests": 1105360,
    "failed": 0,
    "crashes": [],
    "errors": [],
    "windows": 7,
    "windows_wanted": 6.0,
    "samples": 1222,
    "total_ns": 22393402467,
    "clock_ns": 22393402467,
    "misses": {"starting": 5},
}

BAD_SOAKS = [
    {"unchecked": 6291},
    {"checked": 0},
    {"log_full": 1},
    {"rejected": 1},
    {"longest_turn_ms": 61.0},
    {"lies_found": 0},
    {"misses": {"entry": 3900}},
    {"samples": 0, "misses": {}},
]
BAD_LOADS = [
    {"total_ns": 21900000000},
    {"total_ns": 22900000000},
    {"misses": {"lost": 62}},
    {"samples": 400, "misses": {}},
    {"samples": 0, "misses": {}, "total_ns": 0, "clock_ns": 0},
    {"requests": 0},
]


def test_good_results_break_no_bound():
    assert soak.broken_bounds(GOOD_SOAK) == []
    assert crash_load.broken_bounds(GOOD_LOAD) == []


@pytest.mark.parametrize("change", BAD_SOAKS, ids=str)
def test_a_bad_soak_breaks_one_bound(change):
    assert len(soak.broken_bounds(GOOD_SOAK | change)) == 1


@pytest.mark.parametrize("change", BAD_LOADS, ids=str)
def test_a_bad_load_breaks_one_bound(change):
    assert len(crash_load.broken_bounds(GOOD_LOAD | change)) == 1


@pytest.mark.parametrize("text", ["abc", "", "0", "-5", "nan", "inf", "1e9"])
def test_what_is_no_time_is_refused_by_name(text):
    with pytest.raises(argparse.ArgumentTypeError, match="seconds are needed"):
        pythons.seconds(text)


# Which interpreters


def target_of(word):
    """/opt/3.11.7/python is a CPython 3.11.7; the Debian pair may be asked for, too."""
    is_debian = word == matrix.DEBIAN
    version = "3.11.2" if is_debian else word.split("/")[2]
    about = {"version": [int(part) for part in version.split(".")], "identity": word}
    return matrix.Target(word, about, is_debian=is_debian)


@pytest.fixture
def installed(monkeypatch):
    """Sets the interpreters that there are; nothing is run."""

    def install(*words):
        monkeypatch.setattr(matrix, "target_of", target_of)
        monkeypatch.setattr(matrix, "obstacle", lambda _about: "")
        monkeypatch.setattr(matrix, "installed_pythons", lambda: list(words))
        for variable in ("PYTHONS", "NEWEST", "SOAK_PYTHONS"):
            monkeypatch.setenv(variable, "")

    return install


def test_the_newest_of_each_version_is_taken(installed):
    installed("/opt/3.11.2/python", "/opt/3.11.7/python", "/opt/3.12.1/python")

    found = pythons.targets("SOAK_PYTHONS", ((3, 11), (3, 12)))

    assert [target.name for target in found] == ["3.11.7", "3.12.1"]


def test_missing_versions_are_named(installed):
    installed("/opt/3.11.7/python")

    with pytest.raises(SystemExit, match=r"not found: 3\.8, 3\.13\. SOAK_PYTHONS"):
        pythons.targets("SOAK_PYTHONS", ((3, 8), (3, 11), (3, 13)))


def test_named_interpreters_replace_the_versions(installed, monkeypatch):
    installed("/opt/3.11.7/python")
    monkeypatch.setenv("SOAK_PYTHONS", "/opt/3.9.18/python")

    (target,) = pythons.targets("SOAK_PYTHONS", ((3, 8),))

    assert target.name == "3.9.18"


def test_a_second_interpreter_of_a_version_is_named(installed, monkeypatch, capsys):
    installed()
    monkeypatch.setenv("PYTHONS", "/opt/3.11.7/python /opt/3.11.7/python-too")

    (target,) = matrix.find_targets()

    assert target.python == "/opt/3.11.7/python"
    assert capsys.readouterr().out == (
        "left out: /opt/3.11.7/python-too: CPython 3.11.7 is /opt/3.11.7/python already\n"
    )


# The step programs' logs


def step_with_log(text, tmp_path, monkeypatch):
    """What matrix.py's step() counts when each step program says `text`."""
    target = matrix.Target("python", {"version": [3, 11, 7], "abiflags": ""})

    def fake_run(_target, _command, log_name, *_rest):
        (tmp_path / log_name).write_text(text)
        return text

    monkeypatch.setattr(matrix, "run", fake_run)
    monkeypatch.setattr(matrix.Target, "directory", tmp_path)
    result = matrix.Result(target)
    matrix.step(target, result)
    return result


def test_step_counts_are_added_up(tmp_path, monkeypatch):
    line = (
        "CPython 3.11.7: 5 instants, 4 with frames, 1 wrong stacks, 0 faults; refused: entry 3, "
        "starting 2, unreadable 0; no thread state 0\n"
    )

    result = step_with_log(line, tmp_path, monkeypatch)

    assert (result.instants, result.wrong) == (10, 2)
    assert result.refused == {"entry": 6, "starting": 4, "unreadable": 0}


def test_a_step_log_without_counts_is_a_failure(tmp_path, monkeypatch):
    with pytest.raises(matrix.CommandFailed, match=r"step_walker\.log: it does not say"):
        step_with_log("all is well\n", tmp_path, monkeypatch)
