"""Measures overflows under a Python stack of a given depth; prints JSON.

usage: overflow.py LIBRARY DEPTH OVERFLOWS [agent]

The profiler's handler and an empty one take turns in blocks, on either engine of the plugin, so
that whatever slows the machine for a while slows all. With `agent` it is the handler of Google's
own agent, which this Python must be able to import. See overflow.h for what is measured.

SPDX-License-Identifier: MIT
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import time

PERIOD_NS = 10_000_000
MAX_DEPTH = 128
BLOCK = 10  # overflows between two changes of the handler
PROFILER, EMPTY, NONE = range(3)
HANDLERS = {PROFILER: "profiler", EMPTY: "empty", NONE: "none"}
TIMER, PERF = range(2)
TICKS_PER_OVERFLOW = 16
WALKED_BYTES = 8 << 20  # four times the second-level cache of common servers
MISSES_MAX = 0.02  # a tick that was missed cost less than a sample
AGENT_SECONDS = 600  # longer than any measurement
AGENT_STARTS_S = 5

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
    """One way to spin on one engine, with the gaps that each handler made in it."""

    def __init__(
        self, engine, leaf, overflows, walked_bytes=0, handlers=(PROFILER, EMPTY), tagged=False
    ):
        self.engine = engine
        self.tagged = tagged
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
                if not library.bench_use(handler, variant.engine):
                    raise RuntimeError("the kernel refuses perf events")
                if variant.tagged and not library.bench_tag(True):
                    raise RuntimeError("no tag can be set")
                variant.leaf(library.bench_spin, ctypes.byref(gaps), block)
                if variant.tagged:
                    library.bench_tag(False)
                if gaps.overflow_count < (block + 1) * BLOCK:
                    raise RuntimeError("the overflows did not come")


def keep_the_processor():
    """A timer's late tick would hand the processor to another program. Needs
    root; only this thread is given priority."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def load(path):
    library = ctypes.PyDLL(path)
    library.bench_start.argtypes = (ctypes.c_uint32, ctypes.c_uint64)
    library.bench_start.restype = ctypes.c_char_p
    library.bench_adopt.argtypes = (ctypes.c_int, ctypes.c_uint64)
    library.bench_adopt.restype = ctypes.c_char_p
    library.bench_use.restype = ctypes.c_bool
    library.bench_tag.argtypes = (ctypes.c_bool,)
    library.bench_tag.restype = ctypes.c_bool
    library.bench_spin.restype = ctypes.c_uint32
    return library


def start_agent(library):
    """The agent's CPU profiler, without its connection; NULL or what failed."""
    from googlecloudprofiler import cpu_profiler

    profiler = cpu_profiler.CPUProfiler(PERIOD_NS // 1_000_000)
    duration_ns = AGENT_SECONDS * 1_000_000_000
    threading.Thread(target=profiler.profile, args=(duration_ns,), daemon=True).start()
    deadline = time.monotonic() + AGENT_STARTS_S
    while signal.getitimer(signal.ITIMER_PROF)[1] == 0:
        if time.monotonic() > deadline:
            return b"the agent does not start"
        time.sleep(0.01)
    return library.bench_adopt(signal.SIGPROF, PERIOD_NS)


def make_variants(overflows, engine):
    """By name; also where the signal is ignored, if it is the plugin's own timer."""
    return {
        "same": Variant(engine, same_stack, overflows),
        "cold": Variant(engine, same_stack, overflows, WALKED_BYTES),
        "new": Variant(engine, make_new_stack(-(-overflows // BLOCK)), overflows),
    }


def measure_plugin(library, overflows):
    variants = {
        (text, name): one
        for text, engine in (("timer", TIMER), ("perf", PERF))
        for name, one in make_variants(overflows, engine).items()
    }
    for text, engine in (("timer", TIMER), ("perf", PERF)):
        variants[text, "tags"] = Variant(engine, same_stack, overflows, tagged=True)
    variants["timer", "ignored"] = Variant(TIMER, same_stack, overflows, handlers=(NONE,))
    return variants, library.bench_start(MAX_DEPTH, PERIOD_NS)


def measure_agent(library, overflows):
    variants = make_variants(overflows, TIMER)
    return {("agent", name): one for name, one in variants.items()}, start_agent(library)


def check_counts(library):
    counts = Counts()
    library.bench_read_counts(ctypes.byref(counts))
    if counts.log_full or counts.misses > MISSES_MAX * counts.samples:
        found = {name: getattr(counts, name) for name, _ in Counts._fields_}
        raise RuntimeError(f"not every tick became a sample: {found}")


def main(library_path, depth, overflows, what="plugin"):
    library = load(library_path)
    measured = measure_agent if what == "agent" else measure_plugin
    variants, failure = measured(library, overflows)
    if failure:
        raise RuntimeError(failure.decode())
    keep_the_processor()

    def bottom(argument):
        alternate(library, argument)

    above = frames_above(sys._getframe())
    ladder = make_ladder(depth - above - 3, bottom)  # bottom, alternate, the leaf
    ladder(variants.values())

    if what != "agent":
        check_counts(library)
    json.dump({" ".join(key): one.results() for key, one in variants.items()}, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # the agent's thread is still in its profile


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
