"""Kills, reloads and resizes a loaded server at random, under back-to-back windows of both kinds.

usage: kills.py SECONDS   (`make kill-soak`)

The server is that of tests/testenv/build.py: by default Debian's pair. KILL_SOAK_SEED in the
environment repeats a run's order of events. A third of the time the same is done without the
plugin: a request that no kill explains may fail only as often as it does there. The logs are left
in build/kill-soak/. Prints what was seen; exit status 1 when a bound is broken.

SPDX-License-Identifier: MIT
"""

import argparse
import math
import os
import re
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import kill_judge
import pythons
from kill_clients import Clients
from kill_events import CUTTING, RELOADS, Events
from profile_check import Checker
from soak_server import ask_for_truth, number
from testenv import processes
from testenv.build import PYTHON, SOURCE, UWSGI, build_plugin
from testenv.profiles import KINDS, ProfileReader, profile_files, wall_file_of
from testenv.uwsgi import PYTHON_FIRST, QUICK, WITHOUT_PROFILER, Uwsgi
from testenv.wait import wait_for
from testenv.workspace import workspace_of_program

LOGS = SOURCE / "build" / "kill-soak"
WORKERS = 4
THREADS = 2
PAUSE_S = (0.1, 1.5)  # between two events, drawn at random
PLAIN_PART = 1 / 3
# A reload without a window costs some.
WINDOWS_PART_MIN = 0.5
FAILURES_SHOWN = 10
NEAR_S = 5
REQUEST_LINES = re.compile(r"^\[pid: .*\n", re.MULTILINE)

FORM = {
    "app": "killed",
    "processes": WORKERS,
    "threads": THREADS,
    "cheaper": 1,
    "cheaper_initial": WORKERS,
    "mule": "background.py",
    "mules": 1,
    "spooler": "%d/spool",
    "touch_reload": "%p",
    "worker_reload_mercy": 3,
}
PROFILED = {**QUICK, "cloudprofiler_output_keep": 0}


class Server(Uwsgi):
    """A server whose log is judged at the end, by judge_log."""

    def check_log(self):
        return


class Life(NamedTuple):
    """What was seen of one server."""

    server: Uwsgi
    seconds: float
    events: list
    done: int
    work: list
    failures: list
    ending: list  # what was wrong with it; empty: nothing


def disturb(server, events, seconds, random):
    """Events for so long. The pauses are the disorder itself: nothing is awaited by them."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        events.make_one()
        time.sleep(random.uniform(*PAUSE_S))
    events.finish()
    server.wait_until_live()


def wait_for_last_windows(server):
    """A window that began after the last event, of both kinds."""
    server.wait_for_profiles()  # it may have begun before
    wall_file_of(server.wait_for_profiles(2)[-1])


def wait_for_ends(server, clients):
    """uWSGI's word on each worker that ended. One that it cheaped just now may have cut requests,
    and stands in no log if the server is stopped before uWSGI has seen its end."""
    lost = {failure.pid for failure in clients.failures}
    wait_for(
        lambda: kill_judge.is_settled(server.log, lost, processes.is_alive),
        f"the ends in the log of the workers that cut requests, some of {lost}",
    )


def live(directory, plugin_dir, seconds, seed, rest_s, profiled=True):
    """A server's life under load and events."""
    random = Random(seed)
    plugins = PYTHON_FIRST if profiled else WITHOUT_PROFILER
    options = FORM | (PROFILED if profiled else {})
    server = Server(directory, plugin_dir, plugins=plugins, **options)
    ending = []
    try:
        server.start()
        server.wait_for_workers(WORKERS)
        clients = Clients(directory / "http.sock", rest_s)
        events = Events(server, random, clients.last_answers, with_gateway=profiled)
        with clients:
            try:
                disturb(server, events, seconds, random)
                if profiled:
                    wait_for_last_windows(server)
            except AssertionError as error:
                ending.append(str(error)[:400])
        try:
            wait_for_ends(server, clients)
            server.stop()
        except AssertionError as error:
            ending.append(f"at the end: {str(error)[:400]}")
    finally:
        if server.master_pid:
            server.kill()
    made = (
        events.made
        + kill_judge.without_mercy(server.log)
        + kill_judge.cheaped(server.log, clients.last_answers)
    )
    made = kill_judge.with_deaths(made, events.deaths.moments)
    done = sum(clients.done.values())
    return Life(server, seconds, made, done, clients.work, clients.failures, ending)


def read_profiles(server, reader):
    return [reader.read(path) for kind in KINDS for path in profile_files(server.profiles, kind)]


def check_names(profiles):
    checker = Checker(ask_for_truth([one.message for one in profiles]), [])
    for profile in profiles:
        checker.check(profile.message)
    return checker


def judge_profiles(life, profiles):
    """What was counted, and what there is to complain of."""
    log = life.server.log
    longest, complaints = kill_judge.gaps(life.events, profiles)
    complaints += kill_judge.strangers(profiles, kill_judge.slots_of_processes(log))
    complaints += kill_judge.unseen(life.work, profiles)
    names = check_names(profiles)
    complaints += names.findings
    rejected = sum(number(one, "rejected records") for one in profiles)
    by_kind = Counter(one.kind for one in profiles)
    if rejected:
        complaints.append(f"{rejected} rejected records")
    if min(by_kind[kind] for kind in KINDS) < WINDOWS_PART_MIN * life.seconds:
        complaints.append(f"too few windows: {dict(by_kind)}")
    if not names.checked:
        complaints.append("no name was checked")
    print(
        f"profiles: {by_kind['cpu']} cpu, {by_kind['wall']} wall; samples: "
        f"{sum(one.total_count for one in profiles)}; names checked: {names.checked}, wrong: "
        f"{names.wrong}; longest wait for a window after an event: {longest:.1f} s"
    )
    return complaints


def judge_log(life):
    """What was wrong with the server; prints what uWSGI does by itself."""
    crashes, own = kill_judge.crashes(life.server.log)
    print(f"workers that crashed since uWSGI told them to reload while they started: {own}")
    return life.ending + crashes + life.server.our_errors


def judge_requests(life):
    """How many requests each event cut, and the failures that nothing explains; prints both."""
    cuts, unexplained = kill_judge.sort_failures(life.failures, life.events, THREADS)
    by_kind = Counter()
    for event, count in cuts.items():
        by_kind[event.kind] += count
    print(f"events: {dict(Counter(event.kind for event in life.events))}")
    print(
        f"requests: {life.done} in {life.seconds:.0f} s; cut: {dict(by_kind)}; "
        f"failed otherwise: {len(unexplained)}"
    )
    for failure in unexplained[:FAILURES_SHOWN]:
        near = [event for event in life.events if abs(event.moment - failure.ended) < NEAR_S]
        print(f"    {failure}, near {near}")
    if unexplained:
        print(f"the server's log:\n{REQUEST_LINES.sub('', life.server.log)}")
    return cuts, unexplained


def compare(life, cuts, unexplained, base):
    """What fails more often than without the plugin."""
    print("without the plugin:")
    base_cuts, base_unexplained = judge_requests(base)
    print("also wrong:", judge_log(base) or "nothing")
    expected = len(base_unexplained) / PLAIN_PART
    complaints = []
    if len(unexplained) > expected + kill_judge.SIGMAS * math.sqrt(expected):
        complaints.append(f"{len(unexplained)} requests failed that nothing explains")
    pairs = {
        "uWSGI killed workers in reloads": [
            kill_judge.reloads_without_mercy(one.events, WORKERS) for one in (life, base)
        ]
    }
    for kinds in (*((kind,) for kind in CUTTING), tuple(RELOADS)):
        pairs[f"{', '.join(kinds)}: requests were cut"] = [
            kill_judge.cuts_by(kinds, one_cuts, one.events, THREADS)
            for one_cuts, one in ((cuts, life), (base_cuts, base))
        ]
    for what, (ours, plain) in pairs.items():
        print(f"    {what}: {ours[0]} of {ours[1]}, without the plugin {plain[0]} of {plain[1]}")
        if kill_judge.is_more_often(*ours, *plain):
            complaints.append(f"{what}, more often than without the plugin")
    return complaints


def run(workspace, plugin_dir, seconds, seed, rest_s=0.0):
    """What there is to complain of; empty: nothing. `rest_s`: of each client between requests."""
    print(f"seed {seed}; with the plugin:")
    life = live(workspace / "kills", plugin_dir, seconds, seed, rest_s)
    complaints = judge_log(life)
    cuts, unexplained = judge_requests(life)
    print("warnings:", dict(Counter(life.server.our_warnings)))
    complaints += judge_profiles(life, read_profiles(life.server, ProfileReader(workspace)))
    if not life.done or len(life.events) < seconds / (2 * PAUSE_S[1]):
        complaints.append(f"only {life.done} requests, {len(life.events)} events")
    base = live(workspace / "plain", plugin_dir, seconds * PLAIN_PART, seed, rest_s, profiled=False)
    return complaints + compare(life, cuts, unexplained, base)


def keep_logs(workspace):
    LOGS.mkdir(parents=True, exist_ok=True)
    for log in workspace.glob("*/log"):
        shutil.copy(log, LOGS / f"{log.parent.name}.log")


def main(seconds, seed):
    with workspace_of_program("cprof-kills-") as workspace:
        print(f"{UWSGI}, {PYTHON}")
        try:
            complaints = run(workspace, build_plugin(workspace / "plugin"), seconds, seed)
        finally:
            keep_logs(workspace)
    print("\n".join(complaints) or "nothing to complain of")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=pythons.seconds, help="of kills (KILL_SOAK_SECONDS)")
    chosen = os.environ.get("KILL_SOAK_SEED") or Random().randrange(1_000_000)
    main(parser.parse_args().seconds, int(chosen))
