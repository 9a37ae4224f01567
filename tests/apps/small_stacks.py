"""An app that works with an alternate stack for signals, of a size that the request says.

    /run?room=N&ms=N   the kernel's frame and N bytes, rounded up to 64. Answers how many bytes of
                       the N handlers have used; negative: the kernel's frame alone. "overwritten"
                       if something below the stack was.

The library of tests/apps/small_stacks.c lies beside this file.

SPDX-License-Identifier: MIT
"""

import ctypes
import os
from pathlib import Path
from urllib.parse import parse_qs

import burn

ALIGNMENT = 64
CALLBACK = ctypes.CFUNCTYPE(None)

LIBRARY = ctypes.CDLL(str(Path(__file__).with_name("small_stacks.so")))
LIBRARY.small_stacks_kernel_frame.restype = ctypes.c_long
LIBRARY.small_stacks_run.restype = ctypes.c_long
LIBRARY.small_stacks_run.argtypes = [ctypes.c_long, CALLBACK]


def work(ms):
    burn.spin(ms * burn.LOOPS_PER_MS)


def run(room, ms):
    frame = LIBRARY.small_stacks_kernel_frame()
    assert frame > 0
    size = -(-(frame + room) // ALIGNMENT) * ALIGNMENT
    used = LIBRARY.small_stacks_run(size, CALLBACK(lambda: work(ms)))
    assert used != -2, size
    return "overwritten" if used < 0 else str(used - frame)


def application(environ, start_response):
    answer = str(os.getpid())
    if environ["PATH_INFO"] == "/run":
        query = parse_qs(environ["QUERY_STRING"])
        answer = run(int(query["room"][0]), int(query["ms"][0]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer.encode()]
