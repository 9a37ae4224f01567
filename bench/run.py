"""Measures what profiling costs, beside what other profilers cost, and prints one page.

usage: run.py LIBRARY SECONDS PEERS [overflows|asleep]

LIBRARY is build/bench/overflow.so. SECONDS is about what the run takes; it takes longer where
that would not give enough overflows. PEERS is a directory for the virtual environment with the
other profilers; what pip cannot install is left out and named. With `overflows` only part (a) is
measured, and nothing is installed; with `asleep` only part (d). Bounds are printed with what was
found; the exit status only says whether everything could be measured.

SPDX-License-Identifier: MIT
"""

import datetime
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import overflow
import report
from peers import Peers
from race import Race
from testenv.build import PYTHON, UWSGI, build_plugin
from testenv.profiles import ProfileReader, load_proto
from testenv.workspace import workspace_of_program

DEPTHS = {10: 0.25, 34: 1.0, 100: 0.25}  # and how many overflows each, as a part
OVERFLOWS_MIN = 300  # under each handler, in each variant, at depth 34
OVERFLOWS_PART = 0.3  # of the whole time
CELLS = 17  # handlers, summed over engines and variants
RACE_SECONDS_MIN = 60
ASLEEP_SECONDS = 60
COARSE_CLOCK = 6  # CLOCK_MONOTONIC_COARSE: moves at the kernel's tick, and says how often


def version(program):
    command = [program, "--version"]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return result.stdout.split()[-1]


def processor():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def machine():
    hz = round(1 / time.clock_getres(COARSE_CLOCK))
    return (
        f"{os.cpu_count()} x {processor()}, Linux {platform.release()}, HZ={hz}, "
        f"uWSGI {version(UWSGI)}, CPython {version(PYTHON)}, "
        f"load average at the start {os.getloadavg()[0]:.1f}"
    )


def progress(text):
    print(text, file=sys.stderr, flush=True)


def measure_overflow(library, depth, overflows, *what, path=""):
    command = [PYTHON, overflow.__file__, library, str(depth), str(overflows), *what]
    output = subprocess.run(
        command, stdout=subprocess.PIPE, check=True, env={**os.environ, "PYTHONPATH": str(path)}
    ).stdout
    found = json.loads(output)
    return {
        (engine, depth, name): report.Overflows(handlers)
        for key, handlers in found.items()
        for engine, name in [key.split()]
    }


def measure_overflows(library, seconds):
    overflow_s = overflow.PERIOD_NS / 1e9
    whole = OVERFLOWS_PART * seconds / (overflow_s * CELLS * sum(DEPTHS.values()))
    results = {}
    for depth, part in DEPTHS.items():
        overflows = int(part * max(OVERFLOWS_MIN, whole))
        progress(f"overflows at depth {depth}: {overflows * overflow_s * CELLS:.0f} s")
        results |= measure_overflow(library, depth, overflows)
    return results


def make_race(workspace, peers):
    plugin_dir = build_plugin(workspace / "plugin")
    proto_dir = workspace / "proto"
    proto_dir.mkdir()
    return Race(workspace, plugin_dir, ProfileReader(workspace), load_proto(proto_dir), peers)


def measure_asleep(race, bounds):
    progress(f"an app that sleeps: {ASLEEP_SECONDS} s and the servers' starts and ends")
    report.print_asleep(race.asleep(ASLEEP_SECONDS), bounds)


def measure_rest(library, seconds, workspace, peers, overflows, bounds):
    """What takes servers, and the other profilers."""
    began = time.monotonic()
    if peers.agent:
        progress("overflows of the agent")
        arguments = (library, report.TYPICAL_DEPTH, OVERFLOWS_MIN, "agent")
        overflows |= measure_overflow(*arguments, path=peers.agent)
    report.print_overflows(overflows, bounds)
    race = make_race(workspace, peers)
    progress("memory outside windows")
    idle = race.idle_bytes()
    rest = max(RACE_SECONDS_MIN, seconds - ASLEEP_SECONDS - (time.monotonic() - began))
    progress(f"the comparison: {rest:.0f} s and the servers' starts and ends")
    lives = race.lives(rest)
    report.print_race(lives, overflows, peers.missing, bounds)
    report.print_memory(idle, lives, bounds)
    measure_asleep(race, bounds)


def measure(library, seconds, workspace, peers_dir, only):
    began = time.monotonic()
    bounds = report.Bounds()
    print(f"{datetime.date.today().isoformat()}, {machine()}; the period is 10 ms")
    peers = None
    if only != "overflows":
        progress("other profilers: pip")
        peers = Peers(peers_dir)
        print("other profilers: " + ", ".join(map(" ".join, peers.versions.items())))
    if only == "overflows":
        report.print_overflows(measure_overflows(library, seconds), bounds)
    elif only == "asleep":
        measure_asleep(make_race(workspace, peers), bounds)
    else:
        overflows = measure_overflows(library, seconds)
        rest = seconds - (time.monotonic() - began)
        measure_rest(library, rest, workspace, peers, overflows, bounds)
    bounds.print()
    print(f"\n{time.monotonic() - began:.0f} s")


def main(library, seconds, peers_dir, only):
    with workspace_of_program("cprof-bench-") as workspace:
        measure(library, seconds, workspace, peers_dir, only)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]).resolve(),
        float(sys.argv[2]),
        Path(sys.argv[3]).resolve(),
        "".join(sys.argv[4:]),
    )
