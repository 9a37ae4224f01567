"""A million values of tags that are never the same again: memory and time stay as they were.

usage: tag_flood.py VALUES   (`make tag-flood`)

A server of two workers, profiled all the while, is asked in rounds of three: twice for requests
that always set the same tags, A and A', and once for as many that set VALUES new values in all, B.
Prints memory before and after; CPU time of requests, B over A next to A' over A, which is what
chance does; and how many samples say `[other]`. Exit status 1 when a bound is broken.

SPDX-License-Identifier: MIT
"""

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from testenv import processes
from testenv.profiles import ProfileReader, profile_files
from testenv.uwsgi import QUICK, running

WORKERS = 2
SERVER = {
    "app": "many_tags",
    "processes": WORKERS,
    **QUICK,
}
TAGS_PER_REQUEST = 2 * 50  # of tests/apps/many_tags.py: 50 of the request, 50 of blocks
ROUNDS = 20
TURNS = ("A", "A'", "B")
PATHS = {"A": "/constant", "A'": "/constant", "B": "/distinct"}
# For each process: 270 KiB of values, 520 of the links' index, and the tables of a window.
GROWTH_KIB_MAX = 2048
# The logs are of a fixed size, and taken again from the start when nobody reads them.
SEGMENT_KIB_MAX = 4 * 1024
SEGMENT = "/memfd:cloudprofiler (deleted)"
ROUND_SECONDS = 300
WINDOWS = 3  # of a second, that are taken at the end while values come that found no room


def segment_kib(gateway):
    """What of the shared segment is in memory."""
    for descriptor in Path(f"/proc/{gateway}/fd").iterdir():
        if str(descriptor.readlink()) == SEGMENT:
            return descriptor.stat().st_blocks // 2
    raise AssertionError("the gateway has no segment")


class Run:
    """What a run leaves to be judged."""

    def __init__(self, server):
        self.server = server
        self.cpu_ns = {turn: [] for turn in TURNS}  # of the median request, round by round

    def turn(self, name, requests):
        load = self.server.load(PATHS[name], threads=WORKERS, count=requests, seconds=ROUND_SECONDS)
        with load:
            load.join()
        assert not load.failures and load.done == requests, load.failures[:3]
        self.cpu_ns[name].append(statistics.median(int(body) for body in load.bodies))

    def round(self, number, requests):
        """The order changes from round to round, so that no turn always follows the same one."""
        for place in range(len(TURNS)):
            self.turn(TURNS[(place + number) % len(TURNS)], requests)

    def memory_kib(self):
        """By what the memory is of; that of workers together."""
        workers = self.server.workers().values()
        gateway = self.server.gateway()
        return {
            "workers": sum(processes.private_dirty_kib(pid) for pid in workers),
            "gateway": processes.private_dirty_kib(gateway),
            "segment": segment_kib(gateway),
        }


def overflows(server, reader):
    """The comments that count `[other]`, of profiles taken while new values come."""
    server.wait_for_profiles()
    before = set(profile_files(server.profiles))
    with server.load(PATHS["B"], threads=WORKERS, seconds=ROUND_SECONDS):
        server.wait_for_profiles(WINDOWS)
    new = [reader.read(path) for path in profile_files(server.profiles) if path not in before]
    values = set().union(*(profile.label_values("order") for profile in new))
    found = [c for profile in new for c in profile.comments if c.startswith("tag overflows: ")]
    return found, values


def judge_memory(found):
    complaints = []
    print("private memory, and the shared segment, in KiB:")
    print(*(f"    {when:10}{memory}" for when, memory in found.items()), sep="\n")
    before, after = found["before"], found["at the end"]
    for what, processes_of in ("workers", WORKERS), ("gateway", 1):
        if after[what] - before[what] > GROWTH_KIB_MAX * processes_of:
            complaints.append(f"{what}: {after[what] - before[what]} KiB more than before")
    if after["segment"] - before["segment"] > SEGMENT_KIB_MAX:
        complaints.append(f"segment: {after['segment'] - before['segment']} KiB more than before")
    return complaints


def judge_time(cpu_ns):
    """B over the mean of A and A', next to A' over A, which chance makes. The median of the one
    is no slowdown if it is not among the highest tenth of the other."""
    chance = [two / one for one, two in zip(cpu_ns["A"], cpu_ns["A'"], strict=True)]
    means = [(one + two) / 2 for one, two in zip(cpu_ns["A"], cpu_ns["A'"], strict=True)]
    found = [new / mean for new, mean in zip(cpu_ns["B"], means, strict=True)]
    ratio = statistics.median(found)
    for turn, ns in cpu_ns.items():
        print(f"{turn:2}: {statistics.median(ns) / 1e6:.3f} ms of CPU time a request")
    print(
        f"A' over A: {min(chance):.3f} to {max(chance):.3f}, median {statistics.median(chance):.3f}"
    )
    print(f"B over A: {min(found):.3f} to {max(found):.3f}, median {ratio:.3f}")
    return (
        []
        if ratio <= statistics.quantiles(chance, n=10)[-1]
        else [f"new values cost {ratio:.3f} times the CPU time"]
    )


def judge_overflows(comments, values):
    print(*comments[-1:], sep="\n")
    complaints = [] if comments else ["no profile counts [other]"]
    return complaints + ([] if "[other]" in values else ["no sample has the value [other]"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("values", type=int)
    requests = -(-parser.parse_args().values // (TAGS_PER_REQUEST * ROUNDS))
    with running(**SERVER) as server:
        server.wait_for_workers(WORKERS)
        run = Run(server)
        run.turn("A", requests)
        server.wait_for_profiles()
        memory = {"before": run.memory_kib()}
        run.cpu_ns["A"].clear()
        for number in range(ROUNDS):
            run.round(number, requests)
            memory["half way" if number < ROUNDS // 2 else "at the end"] = run.memory_kib()
        reader = ProfileReader(server.directory)
        complaints = judge_overflows(*overflows(server, reader))
        server.check_log()
    print(f"{requests * ROUNDS * TAGS_PER_REQUEST} new values in {requests * ROUNDS} requests")
    complaints += judge_memory(memory) + judge_time(run.cpu_ns)
    for complaint in complaints:
        print("WRONG:", complaint)
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
