"""Says what functions there are in source files, by the interpreter that runs this.

Reads a JSON list of file names, as code objects bear them, from standard input; writes a JSON
object: for each file that has a source, a list of [name, qualified name, first line, lines].
Qualified names are empty before CPython 3.11, whose code objects have none.

Runs on any CPython from 3.6 on.

SPDX-License-Identifier: MIT
"""

import dis
import json
import os
import re
import sys
import tokenize
import types

LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120 (plain text is all that is needed)
FROZEN = re.compile(r"<frozen ([\w.]+)>")


def source_path(file):
    """Frozen modules bear a name instead of a file; their sources lie in the library."""
    frozen = FROZEN.fullmatch(file)
    if not frozen:
        return file
    return "/".join([LIBRARY, *frozen.group(1).split(".")]) + ".py"


def lines_of(code):
    if hasattr(code, "co_lines"):
        return {line for _, _, line in code.co_lines() if line}
    return {line for _, line in dis.findlinestarts(code)}


def functions_in(code):
    """This code object and all that it contains."""
    qualified_name = getattr(code, "co_qualname", "")
    yield [code.co_name, qualified_name, code.co_firstlineno, sorted(lines_of(code))]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from functions_in(constant)


def truth_of(file):
    with tokenize.open(source_path(file)) as source:
        text = source.read()
    return list(functions_in(compile(text, file, "exec", dont_inherit=True)))


def main():
    truth = {}
    for file in json.load(sys.stdin):
        try:
            truth[file] = truth_of(file)
        except OSError:
            continue  # made at run time
    json.dump(truth, sys.stdout)


if __name__ == "__main__":
    main()
