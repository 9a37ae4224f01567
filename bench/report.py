"""The measurements as one page of plain text, and whether the bounds hold.

SPDX-License-Identifier: MIT
"""

import statistics

import race
from contenders import PERIOD_NS, SHARES, WORKERS
from overflow import BLOCK
from spread import Spread

TYPICAL_DEPTH = 34
VARIANTS = {"same": "same stack", "cold": "cold caches", "new": "new stack", "tags": "eight tags"}
ENGINES_OF = {
    race.OURS_PERF: ("perf", "timer"),
    race.OURS_TIMER: ("timer",),
    race.AGENT: ("agent",),
}

RATIO_MAX = {"perf": 1.3, "timer": 1.9}
PART_MAX = 0.005
OUTSIDE_BYTES_MAX = 0.3e6
INSIDE_BYTES_MAX = 2e6


class Overflows:
    """The overflows of one engine, depth and variant, in microseconds."""

    def __init__(self, handlers):
        self._handlers = handlers

    def spread(self, handler):
        return Spread.of([ns / 1000 for ns in self._handlers[handler]["overflow_ns"]])

    def median_ns(self):
        return 1000 * self.spread("profiler").median

    def tick_ns(self, engine):
        """The part that comes without a profiler, too: a CPU timer expires on the kernel's tick."""
        return 0 if engine == "perf" else 1000 * self.tick_us()

    def tick_us(self):
        """A kernel tick at which no timer of ours was due."""
        ticks = [ns for each in self._handlers.values() for ns in each["tick_ns"]]
        return Spread.of(ticks).median / 1000

    def ratio_of_medians(self):
        return self.spread("profiler").median / self.spread("empty").median

    def ratios(self):
        """Of blocks that followed each other: the machine is faster at some times than at others,
        and the median of all is then that of whichever time lasted longer."""
        theirs, empty = (self._block_medians(handler) for handler in ("profiler", "empty"))
        return Spread.of([mine / none for mine, none in zip(theirs, empty, strict=True)])

    def _block_medians(self, handler):
        ns = self._handlers[handler]["overflow_ns"]
        return [statistics.median(ns[at : at + BLOCK]) for at in range(0, len(ns), BLOCK)]


class Bounds:
    """What was asked for, beside what was found."""

    def __init__(self):
        self._lines = []

    def check(self, text, found, bound, unit=""):
        verdict = "holds" if found <= bound else "MISSED"
        self._lines.append(f"{text:66} {found:8.3f} <= {bound:.3f} {unit:3} {verdict}")

    def print(self):
        print("\nBounds:")
        for line in self._lines:
            print(f"    {line}")


def _quartiles(spread):
    return f"{spread.median:6.1f} [{spread.lower:5.1f} {spread.upper:5.1f}]"


def print_overflows(results, bounds):
    print("\n(a) One overflow in us, median [quartiles]: interrupt, signal, handler, return.")
    print("    ratio: of blocks that followed each other; tick: the kernel's tick alone, in us.")
    print(
        "engine depth variant      profiler's handler    empty handler         ratio"
        "               tick  each"
    )
    for (engine, depth, name), found in sorted(results.items()):
        if name == "ignored":
            continue
        theirs, ratios = found.spread("profiler"), found.ratios()
        print(
            f"{engine:6} {depth:5d} {VARIANTS[name]:11}  {_quartiles(theirs)}  "
            f"{_quartiles(found.spread('empty'))}  {ratios.median:4.2f} [{ratios.lower:4.2f} "
            f"{ratios.upper:4.2f}]  {found.tick_us():5.1f}  {theirs.count:4d}"
        )
    ignored = results["timer", TYPICAL_DEPTH, "ignored"].spread("none")
    print(
        f"timer, the signal is ignored: {_quartiles(ignored)}, {ignored.count} overflows",
        flush=True,
    )
    for engine, most in RATIO_MAX.items():
        found = results[engine, TYPICAL_DEPTH, "same"]
        text = f"{engine}: handler over empty handler, depth {TYPICAL_DEPTH}, hot"
        bounds.check(f"{text}, by blocks", found.ratios().median, most)
        bounds.check(f"{text}, medians of all", found.ratio_of_medians(), most)
        tagged = results[engine, TYPICAL_DEPTH, "tags"]
        bounds.check(f"{text}, eight tags, by blocks", tagged.ratios().median, most)


class Cost:
    """What a contender's profiler cost in one life's turns."""

    def __init__(self, name, life, overflows):
        turns = [turn for turn in life.turns if turn]
        found = life.findings
        worker_ns = sum(turn.worker_ns for turn in turns)
        self.threads_ns = sum(turn.thread_ns for turn in turns)
        self.helper_ns = sum(turn.helper_ns for turn in turns)
        self.signals_ns = 0
        self.ticks_ns = 0  # of these, what the kernel's tick takes anyway
        # Its ticks and samples belong to all that the workers did, the turns are most of it.
        part = worker_ns / found.real_ns if found else 0
        for engine in ENGINES_OF.get(name, ()) if found else ():
            cold, same, new = (
                overflows[engine, TYPICAL_DEPTH, which] for which in ("cold", "same", "new")
            )
            self.signals_ns += part * found.ticks[engine] * cold.median_ns()
            self.ticks_ns += part * found.ticks[engine] * cold.tick_ns(engine)
            if engine == ENGINES_OF[name][0]:
                adds_ns = max(0.0, new.median_ns() - same.median_ns())
                self.signals_ns += part * found.stacks * adds_ns
        self.total_ns = self.signals_ns + self.threads_ns + self.helper_ns
        self.samples = part * found.samples if found else 0
        self.all_ns = worker_ns + self.threads_ns + self.helper_ns

    def part(self):
        return self.total_ns / self.all_ns


def _ratios(lives, partners):
    """CPU time per request of each turn over its partner's in the same round."""
    return [
        (mine.total_ns / mine.requests) / (other.total_ns / other.requests)
        for life, partner in zip(lives, partners, strict=True)
        for mine, other in zip(life.turns, partner.turns, strict=True)
        if mine and other
    ]


def _shares(found):
    leaves = {name: sum(one.leaves_ns[name] for one in found) for name in SHARES}
    whole = sum(leaves.values())
    return " ".join(f"{100 * ns / whole:4.1f}" for ns in leaves.values()) if whole else "-"


def _row(name, lives, partners, overflows):
    ratios = Spread.of(_ratios(lives, partners))
    text = f"{name:15} {ratios.median:6.3f} [{ratios.lower:.3f} {ratios.upper:.3f}] "
    found = [life.findings for life in lives if life.findings]
    harm = f"{sum(one.crashes for one in lives):3d} {sum(one.failed_requests for one in lives):3d}"
    if not found:
        return text + f"{'':61} {harm}"
    costs = [Cost(name, life, overflows) for life in lives]
    parts = Spread.of([100 * cost.part() for cost in costs])
    samples = sum(cost.samples for cost in costs)
    us = sum(cost.total_ns for cost in costs) / samples / 1000
    total = sum(one.total_ns for one in found) / sum(one.real_ns for one in found)
    return text + (
        f"{parts.median:6.3f} [{parts.least:6.3f} {parts.most:6.3f}] {us:6.1f} {samples:7.0f}"
        f"  {_shares(found)}  {total:6.3f} {harm}"
    )


def _print_parts(lives, overflows):
    print("\n    Of what that consists, in % of all CPU time:")
    print(
        "                signals in workers  the kernel's tick in them"
        "  threads in workers  process of its own"
    )
    for name, each in lives.items():
        if any(life.findings for life in each):
            costs = [Cost(name, life, overflows) for life in each]
            whole = sum(cost.all_ns for cost in costs) / 100
            columns = [
                sum(getattr(cost, kind) for cost in costs) / whole
                for kind in ("signals_ns", "ticks_ns", "threads_ns", "helper_ns")
            ]
            print(
                f"{name:15} {columns[0]:18.3f}  {columns[1]:25.3f}"
                f"  {columns[2]:18.3f}  {columns[3]:18.3f}"
            )


def _check_parts(lives, overflows, bounds):
    parts = {
        name: Spread.of([100 * Cost(name, life, overflows).part() for life in each]).median
        for name, each in lives.items()
        if any(life.findings for life in each)
    }
    peers = [name for name in (race.AGENT, race.PY_SPY, race.AUSTIN) if name in parts]
    for name in (race.OURS_PERF, race.OURS_TIMER):
        bounds.check(f"{name}: part of all CPU time", parts[name], 100 * PART_MAX, "%")
        for peer in peers:
            bounds.check(f"{name}: the same, below {peer}", parts[name], parts[peer], "%")


def print_race(lives, overflows, missing, bounds):
    partners = lives[race.NOTHING]
    requests = [turn for life in partners for turn in life.turns if turn]
    alone = Spread.of([turn.total_ns / turn.requests / 1e6 for turn in requests])
    print(
        f"\n(b) All take turns under the same load; {len(requests)} turns each, {race.LIVES} lives."
    )
    print(f"    A request without a profiler takes {alone.median:.3f} ms of CPU time.")
    print(
        "                CPU time per request    profiler's part of   us a  samples "
        " shares found    total   crashes,"
    )
    print(
        "                over that with nothing  all CPU time, %      sample        "
        "  50   30   20   / real  failed requests"
    )
    for name, each in lives.items():
        if name != race.NOTHING:
            print(_row(name, each, partners, overflows))
    for name, reason in missing.items():
        print(f"{name:15} cannot be had: {reason}")
    _print_parts(lives, overflows)
    _check_parts(lives, overflows, bounds)


class Asleep:
    """What profiling wall time costs in one life under requests that sleep. `more_us` is the CPU
    time of a request beyond that of the server with nothing in the same round: it holds what the
    profiler does in the app's threads, too, and all that the machine's other users disturb."""

    def __init__(self, life, partner):
        rounds = [pair for pair in zip(life.turns, partner.turns, strict=True) if all(pair)]
        turns = [mine for mine, _ in rounds]
        us = [[turn.total_ns / turn.requests / 1000 for turn in pair] for pair in rounds]
        self.more_us = Spread.of([mine - other for mine, other in us])
        own_ns = sum(turn.thread_ns + turn.helper_ns for turn in turns)
        requests = sum(turn.requests for turn in turns)
        samples = WORKERS * sum(turn.elapsed_ns for turn in turns) / PERIOD_NS
        self.part = self.more_us.median / statistics.median(mine for mine, _ in us)
        self.own_part = own_ns / sum(turn.total_ns for turn in turns)
        self.us_a_sample = self.more_us.median * requests / samples
        self.own_us_a_sample = own_ns / samples / 1000


def print_asleep(lives, bounds):
    partner = lives[race.NOTHING]
    turns = [turn for turn in partner.turns if turn]
    alone_us = statistics.median(turn.total_ns / turn.requests / 1000 for turn in turns)
    print(f"\n(d) Requests that sleep for 20 ms at depth {TYPICAL_DEPTH}; {len(turns)} turns each.")
    print(f"    A request without a profiler takes {alone_us:.0f} us of CPU time.")
    print(
        "                CPU time per request, us,  part of all      of that in threads   crashes,"
    )
    print("                over that with nothing     CPU time  each   and process of its   failed")
    print(
        "                                                 %   sample own, %  each sample  requests"
    )
    found = {name: Asleep(life, partner) for name, life in lives.items() if name != race.NOTHING}
    for name, one in found.items():
        life = lives[name]
        print(
            f"{name:15} {_quartiles(one.more_us)}  {100 * one.part:10.2f} {one.us_a_sample:6.1f}"
            f"  {100 * one.own_part:6.2f}  {one.own_us_a_sample:11.1f}"
            f"  {life.crashes:3d} {life.failed_requests:3d}"
        )
    if race.AGENT_WALL in found:
        for name in (race.OURS_WALL, race.OURS_BOTH):
            text = f"{name}: part of all CPU time asleep, below the agent's"
            bounds.check(text, 100 * found[name].part, 100 * found[race.AGENT_WALL].part, "%")


def print_memory(idle, lives, bounds):
    print("\n(c) Private dirty memory of a worker, MB more than with nothing:")
    print("                outside a window   in one")
    inside = {name: [life.dirty_bytes for life in each] for name, each in lives.items()}
    for name, found in inside.items():
        if name == race.NOTHING:
            continue
        pairs = zip(found, inside[race.NOTHING], strict=True)
        more = Spread.of([(mine - other) / 1e6 for mine, other in pairs])
        outside = (idle[name] - idle[race.NOTHING]) / 1e6 if name in idle else 0.0
        print(
            f"{name:15} {outside:12.3f}     {more.median:7.3f} [{more.least:.3f} {more.most:.3f}]"
        )
        if name in (race.OURS_PERF, race.OURS_TIMER):
            bounds.check(f"{name}: memory outside a window", outside, OUTSIDE_BYTES_MAX / 1e6, "MB")
            bounds.check(f"{name}: memory in a window", more.median, INSIDE_BYTES_MAX / 1e6, "MB")
