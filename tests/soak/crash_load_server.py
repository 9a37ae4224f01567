"""One run of crash_load.py, which starts this with the environment of tests/testenv/build.py.

usage: crash_load_server.py SECONDS PERIOD_MS RESULT

SPDX-License-Identifier: MIT
"""

import json
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from soak_server import add_misses, crashes_of, number, stop
from testenv.build import build_plugin
from testenv.profiles import ProfileReader, profile_files
from testenv.uwsgi import Uwsgi
from testenv.workspace import workspace_of_program

WORKERS = 4
CONNECTIONS = 4
WINDOW_S = 10
END_SECONDS = 60

BOUND = re.compile(r"bound to TCP address 127\.0\.0\.1:(\d+)")
REQUESTS = re.compile(r"(\d+) requests in")
SOCKET_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
BAD_ANSWERS = re.compile(r"Non-2xx or 3xx responses: (\d+)")
TICKS = re.compile(r"\b(?:timer|perf)_ticks=(\d+)")


def make_load(port, seconds):
    """Requests made and failed, as wrk counts them: it says nothing of errors when there were
    none."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", f"http://127.0.0.1:{port}/"]
    result = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, timeout=seconds + END_SECONDS, check=True
    )
    print(result.stdout)
    errors = SOCKET_ERRORS.search(result.stdout)
    bad = BAD_ANSWERS.search(result.stdout)
    failed = sum(map(int, errors.groups())) if errors else 0
    return int(REQUESTS.search(result.stdout)[1]), failed + (int(bad[1]) if bad else 0)


def run(workspace, plugin_dir, seconds, period_ms):
    server = Uwsgi(
        workspace / "server",
        plugin_dir,
        app="trivial_wsgi",
        processes=WORKERS,
        http_socket=[workspace / "server" / "http.sock", "127.0.0.1:0"],
        cloudprofiler_period_ms=period_ms,
        cloudprofiler_output_interval=WINDOW_S,
        cloudprofiler_output_duration=WINDOW_S,
        cloudprofiler_output_keep=0,
    )
    try:
        server.start()
        server.wait_for_workers(WORKERS)
        (port,) = server.wait_for_log(BOUND.pattern)
        requests, failed = make_load(port, seconds)
        server.wait_for_profiles()  # the last window with load in it
        crashes = crashes_of(server) + stop(server)
    finally:
        server.kill()
        print(server.log_tail())
    reader = ProfileReader(workspace)
    profiles = [reader.read(path) for path in profile_files(server.profiles)]
    misses = {}
    for profile in profiles:
        add_misses(misses, profile)
    return {
        "seconds": seconds,
        "period_ms": period_ms,
        "requests": requests,
        "failed": failed,
        "crashes": crashes,
        "errors": server.our_errors,
        "windows": len(profiles),
        "windows_wanted": seconds / WINDOW_S,
        "samples": sum(number(one, "samples") for one in profiles),
        "ticks": sum(map(int, TICKS.findall("\n".join("\n".join(p.comments) for p in profiles)))),
        "total_ns": sum(one.total_ns for one in profiles),
        "clock_ns": sum(number(one, "cpu clock nanoseconds") for one in profiles),
        "misses": misses,
    }


def main(seconds, period_ms, result):
    with workspace_of_program("cprof-load-") as workspace:
        found = run(workspace, build_plugin(workspace / "plugin"), seconds, period_ms)
        Path(result).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
