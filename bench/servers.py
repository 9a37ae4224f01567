"""Measures a loaded Flask app on a real uWSGI: the profiler's part of its CPU time, and the CPU
time per request with the profiler and without.

SPDX-License-Identifier: MIT
"""

import contextlib
import itertools
import re
import time
from typing import NamedTuple

from testenv import processes
from testenv.build import SOURCE
from testenv.uwsgi import PYTHON_FIRST, WITHOUT_PROFILER, Uwsgi

APP = SOURCE / "examples" / "flask"
CART = "&".join(f"product={number}" for number in range(0, 400, 20))
PAGES = ("/", "/search?q=red+lamp", f"/cart?{CART}", "/report")

WINDOW_S = 5  # the windows follow each other without a pause
WINDOWS = 2  # of full load, for the profiler's part

LOAD_THREADS = 2  # for each page: more than the app's threads, so that none of these is idle long

BLOCK_REQUESTS = 40  # of each page, in one block of the paired runs
BLOCK_THREADS = 2
LIVES = 4  # how often the paired servers are started anew: two starts of one server differ, too


class Part(NamedTuple):
    """What the profiles of fully loaded windows say."""

    seconds: float
    signals: int
    stacks: int  # distinct ones, by window
    samples: int
    cpu_ns: int  # of the workers, the ticker's included
    ticker_ns: int
    gateway_ns: int


class Ratios(NamedTuple):
    """CPU time per request of a block, over that of its partner without the profiler."""

    with_profiler: list
    without: list
    request_ns: list  # of the partners


def make_server(workspace, name, plugin_dir, profiled):
    profiler = {
        "cloudprofiler_output_interval": WINDOW_S,
        "cloudprofiler_output_duration": WINDOW_S,
    }
    return Uwsgi(
        workspace / name,
        plugin_dir,
        plugins=PYTHON_FIRST if profiled else WITHOUT_PROFILER,
        env={"PYTHONHASHSEED": "0"},  # the order of sets is work, too
        threads=2,
        processes=2,
        wsgi_file=APP / "app.py",
        callable="app",
        pythonpath=APP,
        **(profiler if profiled else {}),
    )


@contextlib.contextmanager
def running(servers):
    """Starts the servers and ends them after the block, also when it fails."""
    with contextlib.ExitStack() as ends:
        for server in servers:
            server.launch()
            ends.callback(server.kill)
            server.wait_until_live("/health")
        yield
        for server in servers:
            server.stop()


def cpu_ns(pid):
    return sum(thread.cpu_ns() for thread in processes.threads(pid))


def workers_cpu_ns(server):
    return sum(cpu_ns(pid) for pid in server.workers().values())


def signals(profile):
    """All ticks of both engines, whatever came of them; each worker's comment tells its own."""
    text = "\n".join(profile.comments)
    return sum(int(ticks) for ticks in re.findall(r"\b(?:timer|perf)_ticks=(\d+)", text))


def measure_part(workspace, plugin_dir, reader):
    """Loads a profiled server with all pages at once, until two windows were full of load."""
    server = make_server(workspace, "loaded", plugin_dir, profiled=True)
    with running([server]), contextlib.ExitStack() as loads:
        started = [loads.enter_context(server.load(page, threads=LOAD_THREADS)) for page in PAGES]
        server.wait_for_profiles()  # its window began before the load
        gateway_ns = cpu_ns(server.gateway())
        files = server.wait_for_profiles(WINDOWS)
        gateway_ns = cpu_ns(server.gateway()) - gateway_ns
        failures = [failure for load in started for failure in load.failures]
        assert not failures, failures[:3]
    profiles = [reader.read(path) for path in files]
    ticker_ns = sum(int(one.comment("ticker cpu nanoseconds")) for one in profiles)
    samples = sum(int(one.comment("samples")) for one in profiles)
    return Part(
        seconds=sum(one.message.duration_nanos for one in profiles) / 1e9,
        signals=sum(signals(one) for one in profiles),
        stacks=sum(len(one.samples) for one in profiles),
        samples=samples,
        cpu_ns=ticker_ns + sum(int(one.comment("cpu clock nanoseconds")) for one in profiles),
        ticker_ns=ticker_ns,
        gateway_ns=gateway_ns,
    )


def request_ns(server):
    """CPU time per request of one block, the same requests each time."""
    before = workers_cpu_ns(server)
    for page in PAGES:
        server.burst(page, BLOCK_REQUESTS, BLOCK_THREADS)
    return (workers_cpu_ns(server) - before) / (BLOCK_REQUESTS * len(PAGES))


def measure_pairs(workspace, plugin_dir, seconds):
    """Three servers side by side, one of them profiled, serve a block each in changing order."""
    ratios = Ratios([], [], [])
    began = time.monotonic()
    for life in range(LIVES):
        kinds = {"partner": False, "profiled": True, "control": False}
        servers = {
            name: make_server(workspace, f"{name}-{life}", plugin_dir, profiled)
            for name, profiled in kinds.items()
        }
        with running(servers.values()):
            for server in servers.values():
                request_ns(server)  # caches fill, code is specialised
            servers["profiled"].wait_for_window()
            end = began + seconds * (life + 1) / LIVES
            for order in itertools.cycle(itertools.permutations(servers)):
                found = {name: request_ns(servers[name]) for name in order}
                ratios.with_profiler.append(found["profiled"] / found["partner"])
                ratios.without.append(found["control"] / found["partner"])
                ratios.request_ns.append(found["partner"])
                if time.monotonic() > end:
                    break
    return ratios
