#!/usr/bin/python3
"""A page of a memory file that cannot be had: who touches it through a mapping, to read it, too, is
ended by SIGBUS; a futex operation that adds nothing gets EFAULT instead, and makes the page where
it can be had without changing it; pread reads zeros and makes none.

usage: tests/assumptions/refused_pages.py   (`make assumptions`)

Pages behind the end of the file cannot be had; as root, those beyond the size of a tmpfs, too.
Prints one line; exit status 1 if it is not so.

SPDX-License-Identifier: MIT
"""

import ctypes
import errno
import mmap
import os
import signal
import subprocess
import sys
import tempfile

PAGE = 4096
PAGES = 4
SYS_FUTEX = {"x86_64": 202, "aarch64": 98}[os.uname().machine]
FUTEX_WAKE_OP_PRIVATE = 5 | 128
ADD_NOTHING = 1 << 28  # FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0)

library = ctypes.CDLL(None, use_errno=True)


def map_shared(fd):
    return mmap.mmap(fd, PAGES * PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)


def pages_of(fd):
    return os.fstat(fd).st_blocks * 512 // PAGE


def take(memory, page):
    """0, or the error number."""
    word = ctypes.byref(ctypes.c_uint32.from_buffer(memory, page * PAGE))
    result = library.syscall(SYS_FUTEX, word, FUTEX_WAKE_OP_PRIVATE, 0, 0, word, ADD_NOTHING)
    return 0 if result >= 0 else ctypes.get_errno()


def signal_of(touch):
    """What ends a child that does this, or 0."""
    child = os.fork()
    if child == 0:
        touch()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def check_pages_that_can_be_had():
    fd = os.memfd_create("pages")
    os.ftruncate(fd, PAGES * PAGE)
    memory = map_shared(fd)
    assert os.pread(fd, 4, 0) == bytes(4) and pages_of(fd) == 0, "pread makes a page"
    assert memory[0] == 0 and pages_of(fd) == 1, "reading through a mapping makes no page"
    assert take(memory, 1) == 0 and pages_of(fd) == 2, "a futex operation makes no page"
    memory[2 * PAGE : 2 * PAGE + 4] = b"text"
    assert take(memory, 2) == 0 and memory[2 * PAGE : 2 * PAGE + 4] == b"text", "it changes it"


def check_refused(fd, first_refused):
    memory = map_shared(fd)
    for page in range(first_refused):
        assert take(memory, page) == 0
    where = first_refused * PAGE
    assert take(memory, first_refused) == errno.EFAULT, "a refused page is not EFAULT"
    assert signal_of(lambda: memory[where]) == signal.SIGBUS, "reading it is no SIGBUS"
    assert signal_of(lambda: memory.__setitem__(where, 1)) == signal.SIGBUS


def check_tmpfs():
    """False: no right to mount one."""
    with tempfile.TemporaryDirectory() as directory:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={2 * PAGE}", "tmpfs", directory]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            return False
        try:
            fd = os.open(directory, os.O_TMPFILE | os.O_RDWR)
            os.ftruncate(fd, PAGES * PAGE)
            check_refused(fd, 2)
        finally:
            subprocess.run(["umount", "--lazy", directory], check=True)
    return True


def main():
    check_pages_that_can_be_had()
    memory_file = os.memfd_create("short")
    os.ftruncate(memory_file, PAGES * PAGE)
    memory = map_shared(memory_file)
    os.ftruncate(memory_file, PAGE)
    assert take(memory, 0) == 0 and take(memory, 1) == errno.EFAULT
    assert signal_of(lambda: memory[PAGE]) == signal.SIGBUS
    where = "beyond a file's end and a tmpfs's size" if check_tmpfs() else "beyond a file's end"
    print(f"ok: pages {where} are refused by EFAULT to a futex operation, by SIGBUS to a mapping")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(f"refused_pages: not so: {error}")
