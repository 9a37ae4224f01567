"""What the soak's check accepts, and that it finds each kind of falsehood.

SPDX-License-Identifier: MIT
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from profile_check import Checker
from testenv.profiles import load_proto

APP_LINES = ["def spin(n):", "    n()", "    level_0(n)", "    spin(n)"]
SPIN = ("spin", "/app/torture.py", 1, 2)
STEM = "g_1_0_7"
FILE = STEM + ".py"


@pytest.fixture(scope="module")
def proto(tmp_path_factory):
    return load_proto(tmp_path_factory.mktemp("proto"))


def unit(level, line, first=10, last=20, call=15, stem=STEM, file=FILE):
    name = f"{stem}_{level}_{first}_{last}_{call}"
    return (name, file, first, line)


GOOD = [unit(1, 12), unit(0, 15), ("run_unit", "/app/torture.py", 3, 3)]
TRUTH = {
    "/app/torture.py": [
        ["spin", "spin", 1, [2, 4]],
        ["run_unit", "run_unit", 3, [3, 4]],
    ]
}


def message_of(proto, stack, thread="uWSGIWorker1Core0", worker="1"):
    """A profile with one sample; `stack` holds (name, file, first line, line), leaf first."""
    message = proto.Profile()
    texts = [""]

    def text(value):
        if value not in texts:
            texts.append(value)
        return texts.index(value)

    sample = message.sample.add()
    for number, (name, file, first_line, line) in enumerate(stack, 1):
        message.function.add(
            id=number,
            name=text(name),
            system_name=text(name),
            filename=text(file),
            start_line=first_line,
        )
        message.location.add(id=number).line.add(function_id=number, line=line)
        sample.location_id.append(number)
    for key, value in (("worker", worker), ("thread", thread)):
        sample.label.add(key=text(key), str=text(value))
    message.string_table.extend(texts)
    return message


def checked(message):
    checker = Checker(TRUTH, APP_LINES)
    checker.check(message)
    return checker


def test_a_true_stack_is_accepted(proto):
    checker = checked(message_of(proto, GOOD))

    assert checker.checked > 0
    assert checker.wrong == 0, checker.findings


def test_recursion_and_cut_roots_are_accepted(proto):
    recursive = [unit(1, 15), unit(1, 15), unit(0, 15), ("[truncated]", "", 0, 0)]

    assert checked(message_of(proto, recursive)).wrong == 0


def test_what_nobody_knows_is_counted_apart(proto):
    checker = checked(message_of(proto, [("f", "<string>", 1, 1), SPIN]))

    assert (checker.unchecked, checker.wrong) == (1, 0)


FALSEHOODS = {
    "another file": [unit(1, 12, file="g_1_0_8.py"), *GOOD[1:]],
    "another first line": [(GOOD[0][0], FILE, 11, 12), *GOOD[1:]],
    "a line outside": [unit(1, 21), *GOOD[1:]],
    "a level left out": [unit(2, 12), *GOOD[1:]],
    "a caller of another unit": [
        unit(1, 12, stem="g_1_0_8", file="g_1_0_8.py"),
        *GOOD[1:],
    ],
    "a caller on another line": [GOOD[0], unit(0, 14), GOOD[2]],
    "nobody calls": GOOD[:2],
    "an inner level called by the app": [unit(1, 12), GOOD[2]],
    "the app calls on a line without a call": [GOOD[1], ("run_unit", "/app/torture.py", 3, 4)],
    "a function that the source lacks": [("spun", "/app/torture.py", 1, 2)],
    "a line that the function lacks": [("spin", "/app/torture.py", 1, 3)],
    "an app's function called by another line": [SPIN, ("run_unit", "/app/torture.py", 3, 3)],
    "a unit that calls another function": [SPIN, GOOD[1], GOOD[2]],
    "a forked child": [unit(0, 12, stem="g_1_f_7", file="g_1_f_7.py"), GOOD[2]],
    "an invented special frame": [("[spam]", "spam.py", 1, 1), ("[uWSGI]", "x", 0, 0)],
}


@pytest.mark.parametrize("stack", FALSEHOODS.values(), ids=FALSEHOODS.keys())
def test_a_falsehood_is_found(proto, stack):
    assert checked(message_of(proto, stack)).wrong > 0


@pytest.mark.parametrize(
    "labels",
    [{"worker": "2"}, {"thread": "uWSGIWorker1Core1"}, {"thread": "app"}],
    ids=["another worker", "another core", "a thread of the app"],
)
def test_a_stack_of_another_thread_is_found(proto, labels):
    assert checked(message_of(proto, GOOD, **labels)).wrong > 0
