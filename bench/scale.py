"""What an instance's profiling costs, by the number of its workers, lightly and heavily loaded; and
what full logs cost the gateway. Both kinds of profiles, back to back.

usage: bench/scale.py [SECONDS]   (part of `make bench`)

SPDX-License-Identifier: MIT
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import full_logs
from testenv import processes
from testenv.full_logs import peak_bytes
from testenv.profiles import ProfileReader, profile_files, wait_for_files, wall_file_of
from testenv.uwsgi import running

APP = Path(__file__).resolve().parent / "app" / "many.py"
WORKERS = (1, 4, 16, 64)
LOADS = ("heavy", "light")
SECONDS = 6
MIB = 1 << 20
PATIENCE_S = 120


HEAD = """\
    load   workers  app's CPU,  profiler,     of all  samples  gateway: CPU,  peak,  files,  end to
                    cores       % of a core  CPU, %   a s      % of a core    MiB    KiB   file, s
"""


class Costs(NamedTuple):
    app_s: float  # CPU time of all workers, a second
    profiler_s: float  # of that, handlers and tickers; and the gateway's
    gateway_s: float
    samples: float  # a second: ticks with a stack, and looks
    peak_bytes: int  # of the gateway
    file_bytes: int  # of both profiles
    delay_s: float  # from the window's end to the file of the last profile


def _sum(profile, key):
    return int(profile.comment(key))


def measure(reader, workers, load, seconds):
    """The window after the first one, in which everything is new."""
    options = {
        "processes": workers,
        "wsgi_file": APP,
        "enable_threads": "true",
        "env": {"BENCH_LOAD": load},
        "cloudprofiler_output_interval": seconds,
        "cloudprofiler_output_duration": seconds,
        "cloudprofiler_max_overhead": "1",
    }
    with running(path="/", **options) as server:
        gateway = server.gateway()
        wait_for_files(server.profiles, seconds=PATIENCE_S, kind="wall")
        cpu_ns, begin = processes.cpu_ns(gateway), time.monotonic()
        wait_for_files(server.profiles, seconds=PATIENCE_S, kind="wall")
        gateway_s = (processes.cpu_ns(gateway) - cpu_ns) / 1e9 / (time.monotonic() - begin)
        peak = peak_bytes(gateway)
        cpu_file = profile_files(server.profiles)[1]
        files = (cpu_file, wall_file_of(cpu_file))
        wall = reader.read(files[1])
        return costs_of(wall, [file.stat() for file in files], gateway_s, peak)


def costs_of(wall, files, gateway_s, peak):
    duration_s = wall.message.duration_nanos / 1e9
    ours_ns = _sum(wall, "handler cpu nanoseconds") + _sum(wall, "ticker cpu nanoseconds")
    end_ns = wall.message.time_nanos + wall.message.duration_nanos
    return Costs(
        _sum(wall, "cpu clock nanoseconds") / 1e9 / duration_s,
        ours_ns / 1e9 / duration_s + gateway_s,
        gateway_s,
        (_sum(wall, "samples") + _sum(wall, "off-cpu looks")) / duration_s,
        peak,
        sum(file.st_size for file in files),
        (max(file.st_mtime_ns for file in files) - end_ns) / 1e9,
    )


def report(load, workers, costs):
    part = 100 * costs.profiler_s / (costs.app_s + costs.gateway_s)
    print(
        f"    {load:6} {workers:7} {costs.app_s:11.3f} {100 * costs.profiler_s:12.2f} {part:8.2f}"
        f" {costs.samples:9.0f}"
        f" {100 * costs.gateway_s:13.2f} {costs.peak_bytes / MIB:9.1f}"
        f" {costs.file_bytes / 1024:7.0f} {costs.delay_s:8.3f}",
        flush=True,
    )


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    print(f"    (e) Scale: windows of {seconds} s, CPU and wall, back to back; one each.")
    print(HEAD, end="")
    with tempfile.TemporaryDirectory(prefix="cprof-") as directory:
        reader = ProfileReader(Path(directory))
        for load in LOADS:
            for workers in WORKERS:
                report(load, workers, measure(reader, workers, load, seconds))
    full_logs.main()


if __name__ == "__main__":
    main()
