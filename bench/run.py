"""Measures what profiling costs and prints one table.

usage: run.py LIBRARY SECONDS

LIBRARY is build/bench/overflow.so. SECONDS is about what the run takes; it takes longer where
that would not give enough overflows. No result is judged here.

SPDX-License-Identifier: MIT
"""

import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import overflow
import report
import servers
from testenv.build import PYTHON, UWSGI, build_plugin
from testenv.profiles import ProfileReader

DEPTHS = (10, 34, 100)
OVERFLOWS_MIN = 500  # under each handler, in each variant, at each depth
OVERFLOWS_PART = 0.4  # of the whole time
CELLS_PER_DEPTH = 7  # handlers, summed over the variants
PAIRS_SECONDS_MIN = 40
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


def measure_overflows(library, seconds):
    cell_s = overflow.PERIOD_NS / 1e9  # for one overflow
    cells = CELLS_PER_DEPTH * len(DEPTHS)
    overflows = max(OVERFLOWS_MIN, int(OVERFLOWS_PART * seconds / (cell_s * cells)))
    results = {}
    for depth in DEPTHS:
        progress(f"overflows at depth {depth}: {overflows * cell_s * CELLS_PER_DEPTH:.0f} s")
        command = [PYTHON, overflow.__file__, library, str(depth), str(overflows)]
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        found = json.loads(output)
        results |= {(depth, name): report.Overflows(found[name]) for name in report.VARIANTS}
    return results


def measure(library, seconds, workspace):
    began = time.monotonic()
    plugin_dir = build_plugin(workspace / "plugin")
    print(f"{datetime.date.today().isoformat()}, {machine()}; the period is 10 ms")
    overflows = measure_overflows(library, seconds)
    report.print_overflows(overflows)
    progress("the profiler's part of a loaded app")
    part = servers.measure_part(workspace, plugin_dir, ProfileReader(workspace))
    report.print_part(part, overflows)
    rest = max(PAIRS_SECONDS_MIN, seconds - (time.monotonic() - began))
    progress(f"requests with the profiler and without: {rest:.0f} s")
    report.print_pairs(servers.measure_pairs(workspace, plugin_dir, rest))
    print(f"\n{time.monotonic() - began:.0f} s")


def main(library, seconds):
    workspace = Path(tempfile.mkdtemp(prefix="cprof-bench-"))
    workspace.chmod(0o755)
    try:
        measure(library, seconds, workspace)
    finally:
        shutil.rmtree(workspace)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), float(sys.argv[2]))
