"""An app that mostly reads and writes: see two_parts.py.

SPDX-License-Identifier: MIT
"""

import os

import two_parts

PIPE_BYTES = 65536
_block = memoryview(bytearray(PIPE_BYTES))
_zero = os.open("/dev/zero", os.O_RDONLY)


def read_and_write(rounds):
    pipe_out, pipe_in = os.pipe()  # made here: workers would share one that is made before them
    while rounds:
        os.readv(_zero, [_block])
        os.write(pipe_in, _block)
        os.readv(pipe_out, [_block])
        rounds -= 1
    os.close(pipe_in)
    os.close(pipe_out)


application = two_parts.TwoParts(read_and_write)
