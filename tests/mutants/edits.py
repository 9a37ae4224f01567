"""Edits of C functions that are found by their names, so that they survive moves of files.

SPDX-License-Identifier: MIT
"""

import re
from pathlib import Path
from typing import NamedTuple

ROOMS = ("plugin", "gateway", "shared")  # where the product's sources are, as far as they exist


class EditError(Exception):
    """The sources are not what an edit was written for."""


class Edit(NamedTuple):
    path: Path  # relative to the sources' root
    before: str  # the whole file
    after: str


def _sources(root):
    return sorted(path for room in ROOMS for path in (root / room).rglob("*.c"))


def _definitions(text, function):
    """Spans of the bodies, from the opening brace to the closing one, both at a line's start:
    the layout that lint enforces."""
    pattern = rf"^[a-z][^;{{}}()]*\b{re.escape(function)}\([^;{{}}]*\)\n\{{\n.*?^\}}\n"
    return [match.span() for match in re.finditer(pattern, text, re.MULTILINE | re.DOTALL)]


def find(root, function, old, new):
    """The edit that replaces `old`, which occurs once in the one function of that name that
    contains it. Static functions of several files may share a name."""
    found = []
    for path in _sources(root):
        text = path.read_text()
        for start, end in _definitions(text, function):
            if old in text[start:end]:
                if text.count(old, start, end) != 1:
                    raise EditError(f"{function}: the text to replace is not there once: {old!r}")
                after = text[:start] + text[start:end].replace(old, new) + text[end:]
                found.append(Edit(path.relative_to(root), text, after))
    if len(found) != 1:
        raise EditError(f"{function}: {len(found)} functions contain {old!r}")
    return found[0]
