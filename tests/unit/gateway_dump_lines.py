"""Prints what CPython says about its own line tables, for test_lines_against_cpython.py.

One line for each code object of the modules named as arguments:

    FORMAT FIRST_LINE TABLE_HEX LINE,LINE,...

with the line of each code unit as PyCode_Addr2Line tells it, and the first line where it tells
none. Runs under the interpreter that is compared, whichever it is.

SPDX-License-Identifier: MIT
"""

import ctypes
import importlib.util
import sys
import types

addr2line = ctypes.pythonapi.PyCode_Addr2Line
addr2line.argtypes = [ctypes.py_object, ctypes.c_int]
addr2line.restype = ctypes.c_int

if hasattr(types.CodeType, "co_positions"):
    FORMAT = 3  # 3.11
elif hasattr(types.CodeType, "co_linetable"):
    FORMAT = 2  # 3.10
else:
    FORMAT = 1


def all_code(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from all_code(constant)


def main():
    for name in sys.argv[1:]:
        loader = importlib.util.find_spec(name).loader
        for code in all_code(loader.get_code(name)):
            table = code.co_lnotab if FORMAT == 1 else code.co_linetable
            lines = [addr2line(code, offset) for offset in range(0, len(code.co_code), 2)]
            known = [line if line > 0 else code.co_firstlineno for line in lines]
            print(FORMAT, code.co_firstlineno, table.hex() or "-", ",".join(map(str, known)))


if __name__ == "__main__":
    main()
