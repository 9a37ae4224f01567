"""Compares the gateway's line table decoder with CPython's own, on the standard library.

PYTHON names the interpreter to compare with.

SPDX-License-Identifier: MIT
"""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PYTHON = os.environ.get("PYTHON", "/usr/bin/python3")
MODULES = """argparse ast asyncio.base_events asyncio.tasks calendar collections configparser copy
csv ctypes dataclasses datetime decimal difflib dis doctest email.message enum fractions ftplib
functools gettext glob gzip heapq http.client http.server imaplib inspect ipaddress json.decoder
locale logging mailbox nntplib numbers optparse os pathlib pdb pickle pickletools platform plistlib
pprint pydoc queue random re sched shelve shlex shutil smtplib socket socketserver sqlite3.dbapi2
ssl statistics string subprocess tarfile tempfile textwrap threading timeit tokenize traceback
turtle typing unittest.case urllib.parse urllib.request uuid warnings wave weakref
xml.dom.minidom zipfile""".split()


@pytest.fixture(scope="module")
def tool(tmp_path_factory):
    program = tmp_path_factory.mktemp("lines") / "gateway_lines_tool"
    source = HERE.parents[1] / "gateway" / "profile" / "lines.c"
    command = [os.environ.get("CC", "gcc"), "-std=gnu11", "-O1", "-g"]
    command += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command += ["-o", program, HERE / "gateway_lines_tool.c", source]
    subprocess.run(command, check=True, timeout=120)
    return program


def known_modules():
    """Those of MODULES that this CPython has; some come and go with its versions."""
    script = "import importlib.util, sys\n"
    script += "print(*[m for m in sys.argv[1:] if importlib.util.find_spec(m)])"
    done = subprocess.run(
        [PYTHON, "-c", script, *MODULES], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.split()


def test_every_offset_of_the_standard_library_has_the_line_that_cpython_says(tool):
    modules = known_modules()
    assert len(modules) > 60
    dump = subprocess.run(
        [PYTHON, HERE / "gateway_dump_lines.py", *modules],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    wanted = [line.split(" ") for line in dump.stdout.splitlines()]
    questions = [
        f"{form} {first} {table} {lines.count(',') + 1}" for form, first, table, lines in wanted
    ]

    answers = subprocess.run(
        [tool], input="\n".join(questions), check=True, capture_output=True, text=True, timeout=120
    ).stdout.splitlines()

    assert len(answers) == len(wanted) > 3000
    wrong = [(row, answer) for row, answer in zip(wanted, answers, strict=True) if row[3] != answer]
    assert not wrong, f"{len(wrong)} of {len(wanted)} code objects differ, first: {wrong[0]}"
    offsets = sum(len(row[3].split(",")) for row in wanted)
    print(f"{offsets} offsets of {len(wanted)} code objects of {PYTHON}")
