"""Makes source text whose function names say where they stand, for the torture app.

A unit is one file of functions that call each other in a chain. Each name is

    g_WORKER_THREAD_SERIAL_LEVEL_FIRST_LAST_CALL

and stands in the file g_WORKER_THREAD_SERIAL.py: the function begins on line FIRST and ends on
LAST, is called by LEVEL - 1 of the same unit (or, where it recurses, by itself), and calls the
next one on line CALL (0: none). THREAD is the uWSGI core that runs the unit, "x" a thread of the
app, "f" a forked child, which must never be seen. Whoever reads a profile can tell by the name
alone whether all that is said of a function is true.

SPDX-License-Identifier: MIT
"""

import itertools
import random

KINDS = ("plain", "generator", "coroutine", "raising", "recursive", "classes", "endless")
LEVELS_MIN = 2
LEVELS_MAX = 7
PADS_MAX = 12
RECURSIONS_MAX = 120  # all levels together: deeper than a sample, shallower than Python's limit

_serials = itertools.count(1)


class Unit:
    """`entry` is the name of level 0; `stem` + ".py" the file; `text` its source."""

    def __init__(self, stem, kind, entry, text):
        self.stem = stem
        self.kind = kind
        self.entry = entry
        self.text = text

    @property
    def file(self):
        return self.stem + ".py"


class _Function:
    """One function to be: its level, how it is padded, and where it will stand."""

    def __init__(self, level):
        self.level = level
        self.pads = random.randrange(PADS_MAX)
        self.first = self.last = self.call = 0
        self.name = ""


SPIN = ("    total = n", "    for i in range(n):", "        total += i")

# What each kind does with the next level, and what its last level does. The line with {callee}
# is the one that CALL names.
MIDDLES = {
    "plain": ("    total += {callee}(n)", "    return total"),
    "generator": ("    yield from {callee}(n)",),
    "coroutine": ("    total += await {callee}(n)", "    return total"),
    "raising": ("    try:", "        {callee}(n)", "    finally:", "        total += 1"),
    "recursive": (
        "    total += {name}(n, depth - 1) if depth else {callee}(n)",
        "    return total",
    ),
}
LEAVES = {
    "plain": ("    return total",),
    "generator": ("    yield total",),
    "coroutine": ("    return total",),
    "raising": ("    raise ValueError(total)",),
    "recursive": ("    return total",),
    "endless": ("    return total + {callee}(n)",),
}


def _head(kind):
    if kind == "recursive":
        return f"def {{name}}(n, depth={random.randrange(RECURSIONS_MAX)}):"
    return "async def {name}(n):" if kind == "coroutine" else "def {name}(n):"


def _lines(kind, function, is_leaf):
    """The function's lines, with {name} and {callee} for the names."""
    pads = [f"    total ^= {number}" for number in range(function.pads)]
    end = LEAVES[kind] if is_leaf else MIDDLES[kind]
    return [_head(kind), *SPIN, *pads, *end]


def _place(function, lines, first):
    function.first = first
    function.last = first + len(lines) - 1
    calls = [number for number, line in enumerate(lines) if "{callee}" in line]
    function.call = first + calls[0] if calls else 0


def _chain_text(stem, kind, lie):
    """Functions beside each other in any order, so that two units lie differently in memory."""
    count = 1 if kind == "endless" else random.randint(LEVELS_MIN, LEVELS_MAX)
    functions = [_Function(level) for level in range(count)]
    bodies = [_lines(kind, one, one.level == count - 1) for one in functions]
    order = random.sample(functions, count)
    first = 1
    for function in order:
        _place(function, bodies[function.level], first)
        first = function.last + 1
    _give_names(stem, functions, lie)
    callees = functions if kind == "endless" else [*functions[1:], None]
    text = []
    for function in order:
        callee = callees[function.level]
        names = {"name": function.name, "callee": callee.name if callee else ""}
        text += [line.format(**names) for line in bodies[function.level]]
    return functions, text


def _classes_text(stem, lie):
    """A function with classes inside each other: their bodies are frames, too."""
    count = random.randint(LEVELS_MIN, LEVELS_MAX)
    functions = [_Function(level) for level in range(count)]
    text = []
    for function in functions:
        indent = "    " * function.level
        kind = "class {name}:" if function.level else "def {name}(n):"
        text.append(indent + kind)
        function.first = len(text)
        text += [indent + "    total = 1", indent + "    for i in range(200):"]
        text += [indent + "        total += i"]
        text += [indent + f"    total ^= {pad}" for pad in range(function.pads)]
    for function, inner in zip(functions, functions[1:]):  # noqa: RUF007, B905 (too new)
        function.call = inner.first
    for function in functions:
        function.last = len(text)
    _give_names(stem, functions, lie)
    for function in functions:
        text[function.first - 1] = text[function.first - 1].format(name=function.name)
    return functions, text


def _give_names(stem, functions, lie):
    for one in functions:
        numbers = (one.level, one.first + lie, one.last, one.call)
        one.name = "_".join([stem, *map(str, numbers)])


def make_unit(worker, thread, kind=None, lie=0):
    """A new unit. With `lie` the names tell a wrong first line, by so much."""
    kind = kind or random.choice(KINDS)
    stem = f"g_{worker}_{thread}_{next(_serials)}"
    if kind == "classes":
        functions, text = _classes_text(stem, lie)
    else:
        functions, text = _chain_text(stem, kind, lie)
    return Unit(stem, kind, functions[0].name, "\n".join(text) + "\n")
