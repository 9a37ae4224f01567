"""Measures timer overflows under a Python stack of a given depth; prints JSON.

usage: overflow.py LIBRARY DEPTH OVERFLOWS

The plugin's handler and an empty one take turns in blocks, so that whatever slows the machine
for a while slows both. See overflow.h for what is measured.

SPDX-License-Identifier: MIT
"""

import contextlib
import ctypes
import json
import os
import sys

PERIOD_NS = 10_000_000
MAX_DEPTH = 128
BLOCK = 25  # overflows between two changes of the handler
PRODUCT, EMPTY, NONE = range(3)
HANDLERS = {PRODUCT: "product", EMPTY: "empty", NONE: "none"}
TICKS_PER_OVERFLOW = 16
WALKED_BYTES = 8 << 20  # four times the second-level cache of common servers

Words = ctypes.POINTER(ctypes.c_uint64)


class Gaps(ctypes.Structure):
    _fields_ = (
        ("overflow_ns", Words),
        ("overflow_count", ctypes.c_uint32),
        ("overflow_max", ctypes.c_uint32),
        ("tick_ns", Words),
        ("tick_count", ctypes.c_uint32),
        ("tick_max", ctypes.c_uint32),
        ("walked", Words),
        ("walked_words", ctypes.c_uint32),
        ("walk_next", ctypes.c_uint32),
    )


class Counts(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("samples", "misses", "log_full"))


class Variant:
    """One way to spin, with the gaps that each handler made in it."""

    def __init__(self, leaf, overflows, walked_bytes=0, handlers=(PRODUCT, EMPTY)):
        self.leaf = leaf
        self.blocks = -(-overflows // BLOCK)
        self._memory = (ctypes.c_uint64 * (walked_bytes // 8))(*range(walked_bytes // 8))
        self.gaps = {handler: self._room(self.blocks * BLOCK) for handler in handlers}

    def _room(self, overflows):
        ticks = overflows * TICKS_PER_OVERFLOW
        return Gaps(
            (ctypes.c_uint64 * overflows)(),
            0,
            overflows,
            (ctypes.c_uint64 * ticks)(),
            0,
            ticks,
            self._memory,
            len(self._memory),
            0,
        )

    def results(self):
        return {HANDLERS[handler]: self._lists(gaps) for handler, gaps in self.gaps.items()}

    def _lists(self, gaps):
        return {
            "overflow_ns": gaps.overflow_ns[: gaps.overflow_count],
            "tick_ns": gaps.tick_ns[: gaps.tick_count],
        }


def compiled(source, name):
    namespace = {}
    exec(compile(source, name, "exec"), namespace)
    return namespace


def same_stack(spin, gaps, _block):
    spin(gaps, BLOCK)


def make_new_stack(blocks):
    """A function with a call of its own for each overflow: no two ticks meet the same stack."""
    lines = ["def new_stack(spin, gaps, block):"]
    for block in range(blocks):
        lines.append(f"    if block == {block}:")
        lines += ["        spin(gaps, 1)"] * BLOCK
    return compiled("\n".join(lines), "new_stack.py")["new_stack"]


def make_ladder(rungs, bottom):
    """A function that calls `bottom` through `rungs` frames of as many functions."""
    lines = []
    for rung in range(rungs):
        below = f"rung_{rung + 1}" if rung + 1 < rungs else "bottom"
        lines += [f"def rung_{rung}(argument):", f"    return {below}(argument)"]
    namespace = compiled("\n".join(lines), "ladder.py")
    namespace["bottom"] = bottom
    return namespace["rung_0"]


def frames_above(frame):
    count = 0
    while frame:
        count += 1
        frame = frame.f_back
    return count


def alternate(library, variants):
    """Block after block, each variant under each of its handlers."""
    for block in range(max(variant.blocks for variant in variants)):
        for variant in variants:
            # The order turns round from block to block: neither handler is always the first.
            order = list(variant.gaps)[:: 1 if block % 2 == 0 else -1]
            for handler in order if block < variant.blocks else []:
                gaps = variant.gaps[handler]
                library.bench_use(handler)
                variant.leaf(library.bench_spin, ctypes.byref(gaps), block)
                if gaps.overflow_count < (block + 1) * BLOCK:
                    raise RuntimeError("the timer's overflows did not come")


def keep_the_processor():
    """On a busy machine nearly every tick would hand the processor to another program. Needs
    root; only this thread is given priority."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def load(path):
    library = ctypes.PyDLL(path)
    library.bench_start.argtypes = (ctypes.c_uint32, ctypes.c_uint64)
    library.bench_start.restype = ctypes.c_char_p
    library.bench_spin.restype = ctypes.c_uint32
    return library


def main(library_path, depth, overflows):
    library = load(library_path)
    failure = library.bench_start(MAX_DEPTH, PERIOD_NS)
    if failure:
        raise RuntimeError(failure.decode())
    keep_the_processor()
    blocks = -(-overflows // BLOCK)
    variants = {
        "same": Variant(same_stack, overflows, handlers=(PRODUCT, EMPTY, NONE)),
        "cold": Variant(same_stack, overflows, WALKED_BYTES),
        "new": Variant(make_new_stack(blocks), overflows),
    }

    def bottom(argument):
        alternate(library, argument)

    above = frames_above(sys._getframe())
    ladder = make_ladder(depth - above - 3, bottom)  # bottom, alternate, the leaf
    ladder(variants.values())

    counts = Counts()
    library.bench_read_counts(ctypes.byref(counts))
    result = {name: variant.results() for name, variant in variants.items()}
    result["counts"] = {name: getattr(counts, name) for name, _ in Counts._fields_}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
