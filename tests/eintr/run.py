"""Looks for interruptions under the profiler and under a plain timer, and prints both figures.

usage: run.py SECONDS

Ends with status 1 if the profiler interrupted anything, or if the plain timer did not: then the
harness can find nothing.

SPDX-License-Identifier: MIT
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from testenv import interruptions
from testenv.build import build_plugin
from testenv.profiles import profile_files
from testenv.uwsgi import NO_MASTER, QUICK, Uwsgi
from testenv.workspace import workspace_of_program

PROCESSES = 4
THREADS = 10
DOWNLOADS = 40
MEGABYTES = 20
TIMEOUT_S = 3
LATE_S = 2


def run_server(directory, plugin_dir, form, options):
    """What was found, and how many windows of each kind there were."""
    server = Uwsgi(directory, plugin_dir, **options)
    try:
        server.start("/counts")
        outcome = interruptions.run(server, form)
        windows = [len(profile_files(server.profiles, kind)) for kind in ("cpu", "wall")]
        errors = server.our_errors
    finally:
        server.kill()  # the end of the one with the plain timer would be interrupted, too
    assert not errors, errors
    return outcome, windows


def time_until_closed(directory, plugin_dir, request, options):
    server = Uwsgi(directory, plugin_dir, app=interruptions.APP, **options)
    try:
        server.start("/counts")
        if "cloudprofiler_period_ms" in options:
            server.wait_for_profiles()
        return interruptions.seconds_until_closed(server, request)
    finally:
        server.kill()


def print_outcome(name, form, outcome, windows):
    cpu, wall = windows
    print(f"{name}: {cpu} windows of CPU and {wall} of wall time")
    for call, made in outcome.made.items():
        print(f"    {call:14} {made:8} calls {outcome.interrupted[call]:8} interrupted")
    print(
        f"    downloads of {form.megabytes} MB: {outcome.complete} of {form.downloads} complete,"
        f" {len(outcome.cut)} cut{f' (at {outcome.cut[0]} bytes and more)' if outcome.cut else ''}",
        flush=True,
    )


def print_timeout(name, seconds):
    found = f"{seconds:.2f} s" if seconds else f"not within {interruptions.NEVER_SECONDS} s"
    print(f"{name}: {found} (asked: {TIMEOUT_S} s)", flush=True)


def is_on_time(seconds):
    return seconds is not None and TIMEOUT_S - 1 <= seconds <= TIMEOUT_S + LATE_S


def timeouts(workspace, plugin_dir, plain):
    """Whether both timeouts of uWSGI fire under the profiler as they were set."""
    profiled = {"processes": 1, "enable_threads": "true", "cloudprofiler_period_ms": 1, **QUICK}
    reading = interruptions.HALF_A_BODY
    limit = {"socket_timeout": TIMEOUT_S}
    waited = time_until_closed(workspace / "stall", plugin_dir, reading, {**profiled, **limit})
    print_timeout("socket-timeout, profiler", waited)
    plain = {**plain, "processes": 1, "threads": None, "enable_threads": "true", **limit}
    del plain["app"]
    print_timeout(
        "socket-timeout, plain timer",
        time_until_closed(workspace / "plain-stall", plugin_dir, reading, plain),
    )
    alone = {**profiled, **NO_MASTER, "harakiri": TIMEOUT_S}
    hung = time_until_closed(workspace / "hang", plugin_dir, interruptions.HANG, alone)
    print_timeout("harakiri without a master, profiler", hung)
    return is_on_time(waited) and is_on_time(hung)


def run(seconds, workspace):
    plugin_dir = build_plugin(workspace / "plugin")
    form = interruptions.Form(PROCESSES, THREADS, DOWNLOADS, MEGABYTES, seconds)
    ours, windows = run_server(
        workspace / "profiled", plugin_dir, form, interruptions.profiled(form)
    )
    print_outcome("profiler, period 1 ms", form, ours, windows)
    options = interruptions.with_plain_timer(form, workspace / "plain-timer")
    plain, windows = run_server(workspace / "plain", plugin_dir, form, options)
    name = f"plain timer, period {interruptions.PLAIN_TIMER_MS} ms"
    print_outcome(name, form, plain, windows)
    on_time = timeouts(workspace, plugin_dir, options)
    unharmed = ours.all_interrupted() == 0 and ours.complete == form.downloads
    can_fail = min(plain.interrupted.values()) > 0 and plain.complete < form.downloads
    return 0 if unharmed and can_fail and on_time else 1


def main(seconds):
    with workspace_of_program("cprof-eintr-") as workspace:
        return run(seconds, workspace)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
