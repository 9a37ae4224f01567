"""What the gateway costs while Cloud Profiler, the network or the key fails, fault by fault.

usage: cloud_faults.py SECONDS   (`make cloud-faults`)

Each fault of tests/e2e/test_cloud_faults.py, and some more, lasts for SECONDS on a server of its
own: once with the tries a second apart at first (cloudprofiler-initial-backoff), once as it comes.
Prints the gateway's CPU time, in percent of a core; exit status 1 where that is 1 % or more.

SPDX-License-Identifier: MIT
"""

import argparse
import contextlib
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import pythons
from standin import BackToBack, StandIn, drop, error, hang, normal
from test_cloud_faults import CREATE_FAULTS
from testenv import processes
from testenv.build import PYTHON, UWSGI, build_plugin
from testenv.cloud import LOCAL_OFF, upload_options
from testenv.uwsgi import Uwsgi
from testenv.wait import wait_for
from testenv.workspace import workspace_of_program

BACKOFFS = {"1 s": {}, "default": {"cloudprofiler_initial_backoff": None}}
SHARE_MAX = 0.01
START_SECONDS = 60
# From the start to the end of what a process does once.
SETTLED_SECONDS = 3.0


def _leave(_standin):
    """Nothing is done to the stand-in."""


@dataclass(frozen=True)
class Fault:
    name: str
    spoil: object = _leave  # what is done to the stand-in
    made: dict = field(default_factory=dict)  # StandIn's arguments
    options: dict = field(default_factory=dict)  # of the server


def _always(call, step):
    return lambda standin: standin.always(call, step)


def _refuses_after(duration):
    """Profiles are asked for as fast as they are made, and none is taken."""

    def spoil(standin):
        standin.pace = BackToBack(["CPU"], duration)
        standin.always("update", error(400))

    return spoil


FAULTS = [
    *(Fault(f"create: {name}", _always("create", step)) for name, step, _ in CREATE_FAULTS),
    Fault("create: 409, at once again", _always("create", error(409, delay="0.1s"))),
    Fault("create: hang", _always("create", hang())),
    Fault("create: a byte a second", _always("create", normal(byte_every_s=1.0))),
    Fault("update: 400", _always("update", error(400))),
    Fault("update: 400, after 1 ms", _refuses_after("0.001s")),
    Fault("update: 503", _always("update", error(503))),
    Fault("update: drop", _always("update", drop())),
    Fault("update: hang", _always("update", hang())),
    Fault("token: 400", _always("token", error(400))),
    Fault("token: 503", _always("token", error(503))),
    Fault("token: hang", _always("token", hang())),
    Fault("nobody listens", lambda standin: standin.refuse()),
    Fault("nobody answers", lambda standin: standin.stall()),
    *(
        Fault(f"certificate: {kind}", made={"certificate": kind})
        for kind in ("other name", "expired", "unknown CA")
    ),
    Fault(
        "name does not resolve",
        options={"cloudprofiler_api_endpoint": "https://no-such-host.invalid"},
    ),
    Fault("no credentials", options={"cloudprofiler_credentials": None}),
]


class Trial:
    """A fault, its stand-in and its server, until `ends` closes."""

    def __init__(self, fault, directory, plugin_dir, backoff, ends):
        directory.mkdir()
        self.fault = fault
        self.standin = ends.enter_context(StandIn(directory, **fault.made))
        self.standin.pace = BackToBack(["CPU"], "0.5s")
        fault.spoil(self.standin)
        options = upload_options(self.standin, directory, **LOCAL_OFF) | backoff | fault.options
        self.server = Uwsgi(
            directory / "server",
            plugin_dir,
            processes=1,
            env={"CLOUDSDK_CONFIG": str(directory), "GOOGLE_APPLICATION_CREDENTIALS": ""},
            **options,
        )
        self.server.launch()
        ends.callback(self.server.kill)

    def settle(self):
        wait_for(lambda: "spawned uWSGI worker" in self.server.log, "a worker", START_SECONDS)
        self.gateway = self.server.gateway()

    def begin(self):
        self._cpu_ns = processes.cpu_ns(self.gateway)
        self._requests = len(self.standin.requests)

    def end(self):
        self.cpu_s = (processes.cpu_ns(self.gateway) - self._cpu_ns) / 1e9
        self.requests = len(self.standin.requests) - self._requests


def measure(workspace, plugin_dir, backoff, seconds):
    """All faults at the same time: a gateway that fails does next to nothing."""
    with contextlib.ExitStack() as ends:
        trials = [
            Trial(fault, workspace / str(number), plugin_dir, backoff, ends)
            for number, fault in enumerate(FAULTS)
        ]
        for trial in trials:
            trial.settle()
        time.sleep(SETTLED_SECONDS)
        for trial in trials:
            trial.begin()
        time.sleep(seconds)
        for trial in trials:
            trial.end()
    return trials


def report(tables, seconds):
    """Prints a line for each fault; returns what there is to complain of."""
    print(f"CPU time of the gateway, % of a core, and requests in {seconds:.0f} s")
    print(f"{'first back-off:':32}" + "".join(f"{name:>18}" for name in tables))
    complaints = []
    for trials in zip(*tables.values(), strict=True):
        cells = "".join(f"{100 * one.cpu_s / seconds:10.2f}{one.requests:8}" for one in trials)
        print(f"{trials[0].fault.name:32}{cells}")
        if max(one.cpu_s for one in trials) >= SHARE_MAX * seconds:
            complaints.append(f"{trials[0].fault.name}: too much")
    return complaints


def main(seconds):
    with workspace_of_program("cprof-f-") as workspace:
        print(f"{UWSGI}, {PYTHON}, load average at the start {os.getloadavg()[0]:.1f}")
        plugin_dir = build_plugin(workspace / "plugin")
        tables = {}
        for number, (name, backoff) in enumerate(BACKOFFS.items()):
            place = workspace / f"backoff-{number}"
            place.mkdir(mode=0o755)
            tables[name] = measure(place, plugin_dir, backoff, seconds)
    complaints = report(tables, seconds)
    print("\n".join(complaints) or "nothing to complain of")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=pythons.seconds, help="of each fault")
    main(parser.parse_args().seconds)
