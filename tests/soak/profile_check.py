"""Judges each function, line, caller and thread that a profile of the torture app names.

Three truths are asked, none of them the profiler's:
- a generated function's name says where it stands, who calls it and which thread runs it
  (tests/apps/torture_units.py);
- what a file on disk holds, the tested interpreter says (code_truth.py);
- in the app itself, a call stands on a line that bears the callee's name.

SPDX-License-Identifier: MIT
"""

import re
from pathlib import PurePath
from typing import NamedTuple

SPECIAL = {"[uWSGI]", "[native]", "[truncated]", "[unsampled]", "[log full]"}

# Native frames of no object file.
NOWHERE = re.compile(r"^\[(vdso|anonymous memory|unknown)\]$|\[system call( \d+)?\]$")
UNIT_FILE = re.compile(r"g_(\d+)_(\d+|x|f)_\d+\.py")
UNIT_FUNCTION = re.compile(
    r"(?P<stem>g_\d+_(?:\d+|x|f)_\d+)_(?P<level>\d+)_(?P<first>\d+)_(?P<last>\d+)_(?P<call>\d+)"
)
MODULE = "<module>"
APP_FILE = "torture.py"
# How the app's lines call what they do not name.
TABLES = {"act": "ACTS[", "drive": "DRIVERS["}
UNIT_CALL = "level_0"

CORE_LABEL = re.compile(r"uWSGIWorker(\d+)Core(\d+)")
APP_THREAD = "x"

FINDINGS_KEPT = 20


class Place(NamedTuple):
    """One location of a profile, as far as it is judged."""

    name: str  # co_name
    qualified_name: str
    file: str
    first_line: int
    line: int

    @property
    def base(self):
        return PurePath(self.file).name

    def __str__(self):
        return f"{self.qualified_name} ({self.file}:{self.first_line}) at line {self.line}"


class Unit(NamedTuple):
    """What the name of a generated function says."""

    stem: str
    level: int
    first: int
    last: int
    call: int


def unit_of(place):
    match = UNIT_FUNCTION.fullmatch(place.name)
    if not match:
        return None
    return Unit(match["stem"], *(int(match[key]) for key in ("level", "first", "last", "call")))


def leaf_numbers(message):
    """The locations beyond the interpreter: in an object file, or a system call. Tests of their
    own judge them (test_native_leaf.py)."""
    text = message.string_table
    functions = {one.id: one for one in message.function}
    files = {one.id for one in message.mapping if one.filename}
    return {
        one.id
        for one in message.location
        if one.mapping_id in files or NOWHERE.search(text[functions[one.line[0].function_id].name])
    }


def places_of(message):
    """The place of each location that is Python's, by its number."""
    text = message.string_table
    functions = {one.id: one for one in message.function}
    found = {}
    leaves = leaf_numbers(message)
    for location in message.location:
        if location.id in leaves:
            continue
        (line,) = location.line
        function = functions[line.function_id]
        found[location.id] = Place(
            text[function.system_name],
            text[function.name],
            text[function.filename],
            function.start_line,
            line.line,
        )
    return found


def files_of(message):
    """The files about which code_truth.py is to be asked."""
    files = {place.file for place in places_of(message).values()}
    return {file for file in files if file and not UNIT_FILE.fullmatch(PurePath(file).name)}


class Checker:
    """Gathers over many profiles: `wrong` counts what is false, `findings` shows the first ones;
    `checked` counts locations and pairs that were judged, `unchecked` those that nobody knows."""

    def __init__(self, truth, app_lines):
        """truth: code_truth.py's answer; app_lines: the lines of torture.py."""
        self.checked = 0
        self.unchecked = 0
        self.wrong = 0
        self.unit_places = 0
        self.findings = []
        self._app_lines = app_lines
        self._truth = {file: self._by_identity(functions) for file, functions in truth.items()}

    @staticmethod
    def _by_identity(functions):
        """Lines by (name, qualified name, first line); several lambdas may share a line."""
        found = {}
        for name, qualified_name, first_line, lines in functions:
            key = (name, qualified_name or name, first_line)
            found.setdefault(key, {first_line}).update(lines)
        return found

    def _judge(self, is_right, what, *places):
        self.checked += 1
        if not is_right:
            self.wrong += 1
            if len(self.findings) < FINDINGS_KEPT:
                self.findings.append(f"{what}: {', under '.join(map(str, places))}")

    def check(self, message):
        places = places_of(message)
        text = message.string_table
        for place in places.values():
            self._check_place(place)
        pairs, runs = set(), set()
        for sample in message.sample:
            stack = [places[number] for number in sample.location_id if number in places]
            labels = {text[label.key]: text[label.str] for label in sample.label}
            where = (labels.get("worker", ""), labels.get("thread", ""))
            pairs.update(zip(stack, [*stack[1:], None], strict=True))
            runs.update((place, where) for place in stack)
        for callee, caller in pairs:
            self._check_pair(callee, caller)
        for place, (worker, thread) in runs:
            self._check_labels(place, worker, thread)

    # One place

    def _check_place(self, place):
        unit = unit_of(place)
        if place.name in SPECIAL:
            self._judge(place.file == "", "a special frame with a file", place)
        elif unit:
            self.unit_places += 1
            self._check_unit(place, unit)
        elif UNIT_FILE.fullmatch(place.base):
            self._judge(place.name == MODULE, "no function of a unit", place)
        elif place.file in self._truth:
            self._check_against_source(place)
        else:
            self.unchecked += 1

    def _check_unit(self, place, unit):
        self._judge(place.base == unit.stem + ".py", "name and file", place)
        self._judge(place.first_line == unit.first, "name and first line", place)
        self._judge(unit.first <= place.line <= unit.last, "line outside the function", place)
        self._judge(
            place.qualified_name.rsplit(".", 1)[-1] == place.name, "name, qualified name", place
        )

    def _check_against_source(self, place):
        functions = self._truth[place.file]
        lines = functions.get((place.name, place.qualified_name, place.first_line))
        self._judge(lines is not None, "no such function in the source", place)
        self._judge(lines is None or place.line in lines, "no such line in the function", place)

    # Who calls whom

    def _check_pair(self, callee, caller):
        unit = unit_of(callee)
        if caller is None:
            self._judge(unit is None, "a unit's function called by nobody", callee)
        elif caller.name in SPECIAL:
            return
        elif unit:
            self._check_caller_of_unit(callee, unit, caller)
        elif callee.base == APP_FILE and caller.base == APP_FILE:
            self._check_call_in_app(callee, caller)
        elif unit_of(caller):
            self._judge(False, "a unit's function calls what it does not know", callee, caller)

    def _check_caller_of_unit(self, callee, unit, caller):
        calling = unit_of(caller)
        if calling:
            is_known = calling.stem == unit.stem and (
                calling.level == unit.level - 1 or caller.name == callee.name
            )
            self._judge(is_known, "impossible caller", callee, caller)
            self._judge(caller.line == calling.call, "not the line of the call", callee, caller)
            return
        self._judge(unit.level == 0, "a unit's inner function from outside", callee, caller)
        self._judge(UNIT_CALL in self._app_line(caller), "impossible caller", callee, caller)

    def _app_line(self, place):
        """The text of the app's line; empty for another file."""
        if place.base != APP_FILE or not 0 < place.line <= len(self._app_lines):
            return ""
        return self._app_lines[place.line - 1]

    def _check_call_in_app(self, callee, caller):
        line = self._app_line(caller)
        table = TABLES.get(callee.name.split("_")[0])
        self._judge(
            callee.name in line or (table is not None and table in line),
            "no such call on the line",
            callee,
            caller,
        )

    # Which thread

    def _check_labels(self, place, worker, thread):
        match = UNIT_FILE.fullmatch(place.base)
        if not match or not thread:
            return
        core = CORE_LABEL.fullmatch(thread)
        said_worker, said_thread = match.groups()
        found_thread = core.group(2) if core else APP_THREAD
        self._judge(worker == said_worker, f"in worker {worker}", place)
        self._judge(found_thread == said_thread, f"in thread {thread}", place)
