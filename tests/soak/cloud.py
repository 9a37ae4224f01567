"""Profiles of both kinds go to the stand-in of Cloud Profiler, one after the other, for minutes.

usage: cloud.py SECONDS   (`make cloud-soak`)

The server is that of tests/testenv/build.py, with four workers and a small app. Each upload is
read by pprof and must hold samples of all four; the gateway must have kept to one connection. Also
prints the gateway's private dirty memory after the 10th, the 100th and the last upload, and its
CPU time. Exit status 1 when a bound is broken.

SPDX-License-Identifier: MIT
"""

import argparse
import contextlib
import os
import re
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pythons
from standin import BackToBack, StandIn
from testenv import processes
from testenv.build import PYTHON, UWSGI, build_plugin
from testenv.cloud import LOCAL_OFF, upload_options
from testenv.pprof import Pprof
from testenv.uwsgi import Uwsgi
from testenv.wait import wait_for
from testenv.workspace import workspace_of_program

WORKERS = 4
KINDS = ("CPU", "WALL")
WINDOW = "2s"
MEASURED_UPLOADS = (10, 100)
DIRTY_KIB_MAX = 6 * 1024
# A turn of the heap: freed memory that the next profile takes again.
GROWTH_KIB_MAX = 64
AFTER_SECONDS = 30
# A tag's block in what pprof -tags prints: a head, then one value a line.
WORKER_TAGS = re.compile(r"^ *worker: Total .*\n((?: .*\n?)+)", re.MULTILINE)
TAG_VALUE = re.compile(r"\): (\S+)$", re.MULTILINE)


class Run:
    """What a run leaves to be judged."""

    def __init__(self, standin, server, workspace):
        self.standin = standin
        self.server = server
        self.workspace = workspace
        self.gateway = server.gateway()
        self.dirty_kib = {}
        self.seconds = 0.0
        self.cpu_s = 0.0

    def measure(self):
        self.dirty_kib[len(self.standin.uploads)] = processes.private_dirty_kib(self.gateway)

    def live(self, seconds):
        started_s = time.monotonic()
        marks = list(MEASURED_UPLOADS)

        def is_over():
            assert not self.standin.problems, self.standin.problems
            if marks and len(self.standin.uploads) >= marks[0]:
                marks.pop(0)
                self.measure()
            return time.monotonic() - started_s >= seconds

        with self.server.load("/", threads=WORKERS, seconds=seconds + AFTER_SECONDS):
            wait_for(is_over, "the end of the run", seconds + AFTER_SECONDS)
        self.measure()
        self.seconds = time.monotonic() - started_s
        self.cpu_s = processes.cpu_ns(self.gateway) / 1e9


def workers_in(pprof, path):
    """The workers that pprof finds in a profile, which it checks when it reads it."""
    block = WORKER_TAGS.search(pprof.run("-tags", path))
    return set(TAG_VALUE.findall(block.group(1))) if block else set()


def judge_profiles(run):
    pprof = Pprof(run.workspace)
    wanted = {str(number) for number in range(1, WORKERS + 1)}
    complaints = []
    for number, upload in enumerate(run.standin.uploads, 1):
        path = upload.save(run.workspace)
        found = workers_in(pprof, path)
        if found != wanted:
            complaints.append(f"upload {number}, {upload.kind}: workers {sorted(found)}")
        path.unlink()
    kinds = [upload.kind for upload in run.standin.uploads]
    if any(kind != KINDS[number % len(KINDS)] for number, kind in enumerate(kinds)):
        complaints.append("the kinds did not come in turn")
    by_kind = ", ".join(f"{count} {kind}" for kind, count in Counter(kinds).items())
    print(f"uploads: {by_kind} of {WINDOW} in {run.seconds:.0f} s, each read by pprof, which")
    print(f"    found the tags of all {WORKERS} workers in {len(kinds) - len(complaints)} of them")
    return complaints


def judge_connections(run):
    most, all_of_run = run.standin.most_open("api"), len(run.standin.connections_of("api"))
    requests = sum(one.requests for one in run.standin.connections_of("api"))
    print(f"connections to the API: {all_of_run}, at most {most} at once, for {requests} requests")
    print(f"connections to the token endpoint: {len(run.standin.connections_of('auth'))}")
    complaints = run.standin.problems + run.server.our_warnings
    return complaints + (["more than one connection"] if all_of_run != 1 or most != 1 else [])


def judge_gateway(run):
    uploads = len(run.standin.uploads)
    for count, kib in run.dirty_kib.items():
        print(f"private dirty memory of the gateway after {count} uploads: {kib} KiB")
    print(
        f"CPU time of the gateway: {run.cpu_s:.2f} s, {1000 * run.cpu_s / uploads:.0f} ms an"
        f" upload, {100 * run.cpu_s / run.seconds:.2f} % of a core"
    )
    figures = list(run.dirty_kib.values())
    complaints = [f"{kib} KiB is too much" for kib in figures if kib > DIRTY_KIB_MAX]
    if figures[-1] > figures[0] + GROWTH_KIB_MAX:
        complaints.append("the gateway's memory grows")
    if uploads < MEASURED_UPLOADS[-1]:
        complaints.append(f"only {uploads} uploads")
    return complaints


def run(workspace, seconds):
    """What there is to complain of; empty: nothing."""
    directory = workspace / "standin"
    directory.mkdir()
    with StandIn(directory) as standin, contextlib.ExitStack() as ends:
        standin.pace = BackToBack(list(KINDS), WINDOW)
        options = upload_options(standin, directory, **LOCAL_OFF)
        plugin_dir = build_plugin(workspace / "plugin")
        server = Uwsgi(workspace / "server", plugin_dir, app="waits", processes=WORKERS, **options)
        server.launch()
        ends.callback(server.kill)
        server.wait_until_live("/")
        soak = Run(standin, server, workspace)
        soak.live(seconds)
        server.stop()
        return judge_connections(soak) + judge_gateway(soak) + judge_profiles(soak)


def main(seconds):
    with workspace_of_program("cprof-cloud-") as workspace:
        print(f"{UWSGI}, {PYTHON}, load average at the start {os.getloadavg()[0]:.1f}")
        complaints = run(workspace, seconds)
    print("\n".join(complaints) or "nothing to complain of")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=pythons.seconds, help="of uploads (CLOUD_SOAK_SECONDS)")
    main(parser.parse_args().seconds)
