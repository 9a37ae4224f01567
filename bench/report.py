"""The measurements as one table of plain text.

SPDX-License-Identifier: MIT
"""

from spread import Spread

TYPICAL_DEPTH = 34
VARIANTS = {"same": "same stack", "cold": "cold caches", "new": "new stack"}


class Overflows:
    """The overflows of one depth and variant, in microseconds."""

    def __init__(self, handlers):
        self._handlers = handlers

    def spread(self, handler):
        return Spread.of([ns / 1000 for ns in self._handlers[handler]["overflow_ns"]])

    def tick_us(self):
        """A kernel tick at which no timer of ours was due."""
        ticks = [ns for each in self._handlers.values() for ns in each["tick_ns"]]
        return Spread.of(ticks).median / 1000

    def ratio(self):
        return self.spread("product").median / self.spread("empty").median


def _quartiles(spread):
    return f"{spread.median:6.1f} [{spread.lower:5.1f} {spread.upper:5.1f}]"


def print_overflows(results):
    print("\n(a) One timer overflow in us, median [quartiles]: interrupt, signal, handler, return.")
    print("    tick: the kernel's tick alone, which comes without a profiler, too.")
    print("depth  variant      plugin's handler      empty handler        ratio   tick  overflows")
    for (depth, name), found in results.items():
        ours, empty = found.spread("product"), found.spread("empty")
        print(
            f"{depth:5d}  {VARIANTS[name]:11}  {_quartiles(ours)}  {_quartiles(empty)}"
            f"  {found.ratio():5.2f}  {found.tick_us():5.1f}  {ours.count} + {empty.count}"
        )
    ignored = results[TYPICAL_DEPTH, "same"].spread("none")
    print(f"no handler, the signal is ignored: {_quartiles(ignored)}, {ignored.count} overflows")


def _row(text, ns, whole_ns):
    print(f"{text:34} {ns / 1e6:10.2f} ms  {100 * ns / whole_ns:6.3f} %")


def print_part(part, results):
    """Each signal counts as one with cold caches; each stack that was new in its window counts
    what a new stack adds, on top."""
    cold, same, new = (results[TYPICAL_DEPTH, name] for name in ("cold", "same", "new"))
    new_adds_us = max(0.0, new.spread("product").median - same.spread("product").median)
    signals_ns = 1000 * part.signals * cold.spread("product").median
    stacks_ns = 1000 * part.stacks * new_adds_us
    ticks_ns = 1000 * part.signals * cold.tick_us()
    total_ns = signals_ns + stacks_ns + part.ticker_ns
    busy = part.cpu_ns / 1e9 / part.seconds
    print(f"\n(b) The profiler's part of a loaded Flask app's CPU time, {part.seconds:.0f} s:")
    print(f"    2 workers of 2 threads that keep {busy:.2f} processors busy;")
    print(f"    {part.signals} signals, {part.stacks} stacks that were new in their window.")
    _row("workers in all", part.cpu_ns, part.cpu_ns)
    _row("signals, as with cold caches", signals_ns, part.cpu_ns)
    _row("new stacks, on top", stacks_ns, part.cpu_ns)
    _row("ticker threads' clocks", part.ticker_ns, part.cpu_ns)
    _row("profiler", total_ns, part.cpu_ns)
    _row("profiler, the kernel's ticks off", total_ns - ticks_ns, part.cpu_ns)
    _row("gateway process, not in a worker", part.gateway_ns, part.cpu_ns)


def print_pairs(ratios):
    partner = Spread.of(ratios.request_ns)
    print("\n(c) CPU time per request over that of a server without the profiler, paired blocks;")
    print(f"    a request without it takes {partner.median / 1e6:.3f} ms.")
    print("pair                  median  quartiles         least   most  pairs")
    both = {"with profiler (A/B)": ratios.with_profiler, "without, too (A/A)": ratios.without}
    for name, values in both.items():
        spread = Spread.of(values)
        print(
            f"{name:19}  {spread.median:7.4f}  {spread.lower:.4f} {spread.upper:.4f}"
            f"  {spread.least:7.4f}  {spread.most:.4f}  {spread.count:4d}"
        )
