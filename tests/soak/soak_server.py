"""Runs the torture app on one uWSGI and judges all its profiles; see soak.py, which starts this
with the environment of tests/testenv/build.py.

usage: soak_server.py SECONDS LIBRARY RESULT

LIBRARY is that of c_threads.c; RESULT the JSON file to write. Ends with 0 whatever was found.
SOAK_WITHOUT_PERF in the environment: the kernel refuses perf_event_open to the server.

SPDX-License-Identifier: MIT
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from profile_check import Checker, files_of
from testenv.build import PYTHON, build_plugin
from testenv.endpoint import Endpoint
from testenv.loop import longest_turn_ms
from testenv.profiles import ProfileReader, profile_files
from testenv.seccomp import without_perf_events
from testenv.uwsgi import CRASH, Uwsgi
from testenv.workspace import workspace_of_program

WORKERS = 2
WINDOW_S = 1
LIE_SECONDS = 4
THREADS_A_REQUEST = 100  # of /threads; SHORT_THREADS in torture.py
UNITS_A_REQUEST = 40  # of /exec; EXEC_UNITS

# How many clients ask for each act, one request after the other.
CLIENTS = {
    "/exec": 2,
    "/deep": 1,
    "/threads": 3,
    "/lasting": 1,
    "/callbacks": 1,
    "/coroutines": 1,
    "/exceptions": 1,
    "/imports": 1,
    "/forks": 1,
    "/subprocesses": 1,
}

DIED = re.compile(r"DAMN ! worker|HARAKIRI|Traceback|Segmentation fault")
MISSED = re.compile(r"missed_(\w+)=(\d+)")


def start_server(workspace, name, plugin_dir, library, lie):
    scratch = workspace / f"{name}-scratch"
    scratch.mkdir()
    return Uwsgi(
        workspace / name,
        plugin_dir,
        app="torture",
        env={
            "TORTURE_LIBRARY": str(library),
            "TORTURE_SCRATCH": str(scratch),
            "PYTHONWARNINGS": "ignore",  # of CPython 3.12, about forks beside threads
            **({"TORTURE_LIE": "1"} if lie else {}),
        },
        processes=WORKERS,
        threads=4,
        cloudprofiler_period_ms=1,
        cloudprofiler_output_interval=WINDOW_S,
        cloudprofiler_output_duration=WINDOW_S,
        cloudprofiler_output_keep=0,
        cloudprofiler_http="%dprofiler.sock",
    )


def load(server, seconds):
    """Runs all clients for so long; their loads by path."""
    with contextlib.ExitStack() as clients:
        loads = {
            path: clients.enter_context(server.load(path, threads=threads, seconds=seconds))
            for path, threads in CLIENTS.items()
        }
        for one in loads.values():
            one.join()
    return loads


def crashes_of(server):
    """Lines that tell of the death of a worker or of anything else that must not be."""
    log = server.log
    lines = [line for line in log.splitlines() if CRASH.search(line) or DIED.search(line)]
    respawned = log.count("Respawned uWSGI worker")
    return lines + (["workers respawned"] * respawned if not lines else [])


def stop(server):
    """What was wrong at the end; empty: nothing."""
    try:
        server.stop()
    except AssertionError as error:
        return [f"at the end: {str(error)[:400]}"]
    finally:
        server.kill()
    return []


def ask_for_truth(messages):
    files = set().union(*(files_of(message) for message in messages)) if messages else set()
    result = subprocess.run(
        [PYTHON, str(Path(__file__).with_name("code_truth.py"))],
        input=json.dumps(sorted(files)),
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(result.stdout)


def add_misses(misses, profile):
    for comment in profile.comments:
        if comment.startswith("missed:"):
            for reason, count in MISSED.findall(comment):
                misses[reason] = misses.get(reason, 0) + int(count)


def number(profile, comment):
    return int(profile.comment(comment))


def judge(server, profiles):
    """All that the profiles say, and what of it is false."""
    app_lines = (server.directory / "torture.py").read_text().splitlines()
    checker = Checker(ask_for_truth([one.message for one in profiles]), app_lines)
    misses = {}
    for profile in profiles:
        checker.check(profile.message)
        add_misses(misses, profile)
    return {
        "windows": len(profiles),
        "samples": sum(number(one, "samples") for one in profiles),
        "rejected": sum(number(one, "rejected records") for one in profiles),
        "log_full": sum(number(one, "log full") for one in profiles),
        "misses": misses,
        "checked": checker.checked,
        "unchecked": checker.unchecked,
        "unit_places": checker.unit_places,
        "wrong": checker.wrong,
        "findings": checker.findings,
    }


def soak(workspace, name, plugin_dir, library, seconds, lie=False):
    """One server's life under all acts; what was found."""
    server = start_server(workspace, name, plugin_dir, library, lie)
    try:
        if os.environ.get("SOAK_WITHOUT_PERF"):
            without_perf_events(server.start)
        else:
            server.start()
        loads = load(server, seconds)
        server.wait_for_profiles()  # the last window with load in it
        longest_ms = longest_turn_ms(Endpoint(server, token=None))
        crashes = crashes_of(server) + stop(server)
    finally:
        server.kill()
        shutil.copy(server.directory / "log", Path(f"{name}.log"))
    reader = ProfileReader(workspace)
    found = judge(server, [reader.read(path) for path in profile_files(server.profiles)])
    return found | {
        "seconds": seconds,
        "requests": sum(one.done for one in loads.values()),
        "by_act": {path: one.done for path, one in loads.items()},
        "failures": [f"{path}: {text}" for path, one in loads.items() for text in one.failures],
        "threads_per_s": loads["/threads"].done * THREADS_A_REQUEST / seconds,
        "units": loads["/exec"].done * UNITS_A_REQUEST,
        "longest_turn_ms": longest_ms,
        "crashes": crashes,
        "errors": server.our_errors,
        "warnings": sorted(set(server.our_warnings)),
    }


def main(seconds, library, result):
    with workspace_of_program("cprof-soak-") as workspace:
        plugin_dir = build_plugin(workspace / "plugin")
        lied = soak(workspace, "lie", plugin_dir, library, LIE_SECONDS, lie=True)
        found = soak(workspace, "soak", plugin_dir, library, seconds)
        found["lies_found"] = lied["wrong"]
        Path(result).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]).resolve(), sys.argv[3])
