#!/usr/bin/python3
"""Where a filter refuses faccessat2 by EPERM, glibc's faccessat(AT_EACCESS) says "no" of a
directory that can be written to. ENOSYS does no harm: glibc knows what to do then.

usage: tests/assumptions/refused_question_looks_like_no.py   (`make assumptions`)

Prints one line; exit status 1 if it is not so.

SPDX-License-Identifier: MIT
"""

import ctypes
import errno
import os
import struct
import sys
import tempfile

FACCESSAT2 = 439  # on every machine
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
ALLOW, FAIL_WITH = 0x7FFF0000, 0x00050000
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06


class Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def put_on_filter(reason):
    code = [
        (LOAD_NUMBER, 0, 0, 0),
        (JUMP_IF_EQUAL, 0, 1, FACCESSAT2),
        (RETURN, 0, 0, FAIL_WITH | reason),
        (RETURN, 0, 0, ALLOW),
    ]
    text = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *one) for one in code))
    program = Program(len(code), ctypes.addressof(text))
    library = ctypes.CDLL(None, use_errno=True)
    assert library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert library.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program)) == 0


def answers_behind(reason, directory):
    """What is said of the directory, and whether a file can be made there."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        put_on_filter(reason)
        said = os.access(directory, os.W_OK, effective_ids=True)
        os.close(os.open(f"{directory}/file", os.O_CREAT | os.O_WRONLY, 0o600))
        os.write(writer, b"%d" % said)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    os.close(writer)
    return os.read(reader, 1) == b"1", status == 0


with tempfile.TemporaryDirectory() as place:
    found = {name: answers_behind(getattr(errno, name), place) for name in ("EPERM", "ENOSYS")}

holds = found == {"EPERM": (False, True), "ENOSYS": (True, True)}
print(f"refused faccessat2: said, can be written: {found}: {'ok' if holds else 'NOT SO ANY MORE'}")
sys.exit(0 if holds else 1)
