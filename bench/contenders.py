"""Those who take part in the comparison: servers with one profiler each, or with none.

All serve the same app (app/split.py) with the same options; what differs is told by each class.
A contender is started, serves turns of load, is asked what it found, and is ended.

SPDX-License-Identifier: MIT
"""

import gzip
import os
import re
import signal
import subprocess
import sys
import time
from typing import NamedTuple

from testenv import processes
from testenv.build import SOURCE
from testenv.profiles import merged, profile_files, wait_for_files
from testenv.seccomp import without_perf_events
from testenv.uwsgi import APPS, PYTHON_FIRST, WITHOUT_PROFILER, Uwsgi
from testenv.wait import wait_for

sys.path.insert(0, str(APPS))
import burn
from truth import SHARES

APP = SOURCE / "bench" / "app"
WORKERS = 4
REQUEST_MS = 5
PERIOD_NS = 10_000_000
WINDOW_S = 10  # they follow each other without a pause
SPARSE_S = 3600
CALIBRATIONS = 100
TURN_REQUESTS = 120
TURN_CONNECTIONS = 4
ATTACH_SECONDS = 30

# One calibration for all servers, so that their requests are equal; the best of many, since
# others may use the processors meanwhile.
LOOPS = REQUEST_MS * max(burn.loops_per_ms() for _ in range(CALIBRATIONS))

CRASH = re.compile(r"Segmentation Fault|killed by signal (?:4|6|7|8|11)\b")


class Turn(NamedTuple):
    """CPU time of one turn of load, by the kernel's accounts."""

    elapsed_ns: int
    requests: int
    worker_ns: int  # the workers' main threads: app, uWSGI, interrupts and signal handlers
    thread_ns: int  # other threads in the workers: the profiler's, since the app has none
    helper_ns: int  # the profiler's own process

    @property
    def total_ns(self):
        return self.worker_ns + self.thread_ns + self.helper_ns


class Findings(NamedTuple):
    """What a profiler says, and what was true while it looked."""

    leaves_ns: dict  # by name of the three functions
    total_ns: int
    real_ns: int  # CPU time of the workers
    samples: int
    ticks: dict  # signals to the workers, by engine
    stacks: int  # that were new in their window


class Contender:
    """A server without a profiler."""

    plugins = WITHOUT_PROFILER

    def __init__(self, name, directory, plugin_dir, environment=None, path="/work", **options):
        self.name = name
        self._path = path
        self.crashes = 0
        self.failed_requests = 0
        self.server = Uwsgi(
            directory,
            plugin_dir,
            plugins=self.plugins,
            # The order of sets is work, too.
            env={"PYTHONHASHSEED": "0", "BENCH_LOOPS": str(LOOPS), **(environment or {})},
            processes=WORKERS,
            enable_threads="true",
            wsgi_file=APP / "split.py",
            callable="app",
            **{"pythonpath": [APP, APPS], **options},
        )
        self._pids = {}

    def start(self):
        self.launch()
        self.server.wait_until_live()
        self._pids = self.server.wait_for_workers(WORKERS)

    def launch(self):
        self.server.launch()

    def settle(self):
        """Before the first requests, once all are started."""

    def attach(self):
        """After the first requests, before those that count."""

    def turn(self):
        """A block of requests; None if a worker or a request was lost in it."""
        before = time.monotonic_ns(), *self._accounts()
        load = self.server.load(self._path, threads=TURN_CONNECTIONS, count=TURN_REQUESTS)
        with load:
            load.join()
        self.failed_requests += len(load.failures)
        if self._lost_workers() or load.failures:
            return None
        after = time.monotonic_ns(), *self._accounts()
        elapsed_ns, *used_ns = (b - a for a, b in zip(before, after, strict=True))
        return Turn(elapsed_ns, load.done, *used_ns)

    def _lost_workers(self):
        crashes = len(CRASH.findall(self.server.log))
        lost, self.crashes = crashes > self.crashes, crashes
        if lost:
            self._pids = self.server.wait_for_workers(WORKERS)
        return lost

    def _accounts(self):
        threads = [one for pid in self._pids.values() for one in processes.threads(pid)]
        main = sum(one.cpu_ns() for one in threads if one.tid == one.pid)
        other = sum(one.cpu_ns() for one in threads if one.tid != one.pid)
        return main, other, self.helper_ns()

    def workers_ns(self):
        return self._accounts()[0]

    def helper_ns(self):
        return 0

    def dirty_bytes(self):
        """Of a worker, on average."""
        found = [processes.private_dirty_kib(pid) for pid in self._pids.values()]
        return 1024 * sum(found) / len(found)

    def findings(self):
        """Ends the profiler, if there is one. None: there is none, or it found nothing."""

    def end(self):
        self.server.kill()


class Ours(Contender):
    """The plugin, with its windows back to back."""

    plugins = PYTHON_FIRST
    engines = ("perf", "timer")

    def __init__(self, name, directory, plugin_dir, reader, interval_s=WINDOW_S, **options):
        super().__init__(
            name,
            directory,
            plugin_dir,
            cloudprofiler_output_interval=interval_s,
            cloudprofiler_output_duration=min(interval_s, WINDOW_S),
            # The others measure CPU time alone.
            **{"cloudprofiler_disable_wall_profiling": "true", **options},
        )
        self._reader = reader
        self._is_back_to_back = interval_s == WINDOW_S

    def settle(self):
        """The second window opens up to an interval late (docs/operating.md), the others behind it
        follow without a pause. Requests in that gap would be in no profile."""
        if self._is_back_to_back:
            self.server.wait_for_first_profile(seconds=3 * WINDOW_S)
            self.server.wait_for_window()

    def attach(self):
        self._gateway = self.server.gateway()

    def helper_ns(self):
        return processes.cpu_ns(self._gateway) if hasattr(self, "_gateway") else 0

    def findings(self):
        real_ns = self.workers_ns()
        end_ns = time.time_ns()
        profiles = wait_for(lambda: self._profiles_until(end_ns), "the last profile", 3 * WINDOW_S)
        text = "\n".join(comment for one in profiles for comment in one.comments)
        ticks = {
            engine: sum(map(int, re.findall(rf"\b{engine}_ticks=(\d+)", text)))
            for engine in ("timer", "perf")
        }
        assert bool(ticks["perf"]) == ("perf" in self.engines), f"{self.name}: {ticks}"
        all_samples = merged(profiles)
        return Findings(
            leaves_ns={name: all_samples.ns_of(name, flat=True) for name in SHARES},
            total_ns=all_samples.total_ns,
            real_ns=real_ns,
            samples=all_samples.total_count,
            ticks=ticks,
            stacks=sum(len(one.samples) for one in profiles),
        )

    def _profiles_until(self, end_ns):
        profiles = [self._reader.read(path) for path in profile_files(self.server.profiles)]
        ends = [one.message.time_nanos + one.message.duration_nanos for one in profiles]
        return profiles if max(ends, default=0) >= end_ns else None

    def end(self):
        """A profiler of ours that does not end well fails the run."""
        try:
            self.server.stop()
        finally:
            self.server.kill()


class OursWithoutPerf(Ours):
    """The same where the kernel refuses perf events."""

    engines = ("timer",)

    def launch(self):
        without_perf_events(self.server.launch)


class OursAsleep(Ours):
    """Wall time, with or without CPU time, of an app whose threads sleep. Only its cost is asked
    for."""

    def settle(self):
        wait_for_files(self.server.profiles, seconds=3 * WINDOW_S, kind="wall")
        self.server.wait_for_window()


class Agent(Contender):
    """Google's own agent in each worker (app/agent.py)."""

    def __init__(self, name, directory, plugin_dir, package, proto, setting=None, path="/work"):
        self._profiles = directory.with_suffix(".profiles")
        self._profiles.mkdir()
        self._proto = proto
        environment = {"BENCH_AGENT": str(self._profiles)}
        if setting:
            environment[setting] = "1"
        super().__init__(
            name, directory, plugin_dir, environment, path, pythonpath=[APP, APPS, package]
        )

    def findings(self):
        leaves = dict.fromkeys(SHARES, 0)
        total_ns = real_ns = samples = 0
        for clock in self._profiles.glob("*.cpu"):
            real_ns += int(clock.read_text())
            for name, count, ns in self._read(clock.with_suffix(".pb.gz")):
                total_ns += ns
                samples += count
                if name in leaves:
                    leaves[name] += ns
        ticks = {"agent": real_ns // PERIOD_NS}  # those that it drops are in no profile
        return Findings(leaves, total_ns, real_ns, samples, ticks, 0) if samples else None

    def _read(self, path):
        """Leaf's name, count and time of each sample."""
        message = self._proto.Profile()
        message.ParseFromString(gzip.decompress(path.read_bytes()))
        functions = {one.id: message.string_table[one.name] for one in message.function}
        leaf = {one.id: functions[one.line[0].function_id] for one in message.location}
        return [(leaf[one.location_id[0]], one.value[0], one.value[1]) for one in message.sample]


class Attached(Contender):
    """A profiler that reads the workers' memory from a process of its own."""

    def __init__(self, name, directory, plugin_dir, program):
        super().__init__(name, directory, plugin_dir)
        self._program = str(program)
        self._output = directory.with_suffix(".samples")
        self._log = directory.with_suffix(".log")
        self._process = None

    def attach(self):
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, *self.arguments(str(self._output), str(self.server.master_pid))],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(self._is_attached, f"{self.name} to begin", ATTACH_SECONDS)
        self._began_ns = self.workers_ns()

    def _is_attached(self):
        text = self._log.read_text(errors="replace")
        assert self._process.poll() is None, f"{self.name} ended: {text[-500:]}"
        return self.is_attached(text)

    def helper_ns(self):
        return processes.cpu_ns(self._process.pid) if self._process else 0

    def findings(self):
        real_ns = self.workers_ns() - self._began_ns
        process, self._process = self._process, None
        process.send_signal(signal.SIGINT)
        process.wait(ATTACH_SECONDS)
        leaves = dict.fromkeys(SHARES, 0)
        total_ns = samples = 0
        with self._output.open(encoding="utf-8", errors="replace") as lines:
            for name, count, ns in filter(None, map(self.sample, lines)):
                total_ns += ns
                samples += count
                if name in leaves:
                    leaves[name] += ns
        self._output.unlink()
        return Findings(leaves, total_ns, real_ns, samples, {}, 0) if samples else None

    def end(self):
        if self._process and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait(ATTACH_SECONDS)
        super().end()


class PySpy(Attached):
    """py-spy record: threads that it takes for busy, by default."""

    def arguments(self, output, pid):
        rate = str(1_000_000_000 // PERIOD_NS)
        return ["record", "--subprocesses", "-r", rate, "-f", "raw", "-o", output, "-p", pid]

    def is_attached(self, log):
        return "Sampling process" in log

    def sample(self, line):
        """process;frame;...;leaf (file:line) COUNT; None for one without frames."""
        stack, count = line.rsplit(" ", 1)
        leaf, where, _place = stack.rsplit(";", 1)[-1].partition(" (")
        return (leaf, int(count), int(count) * PERIOD_NS) if where else None


class Austin(Attached):
    """austin in its default mode, which measures wall time. Its CPU mode asks the kernel for the
    thread by an id that CPython took in the master, and so finds nothing in forked workers."""

    def arguments(self, output, pid):
        return ["--children", "-i", str(PERIOD_NS // 1000), "-o", output, "-p", pid]

    def is_attached(self, log):
        return len(re.findall(r"version: \S*\d+\.\d+", log)) > WORKERS

    def sample(self, line):
        """process;thread;file:function:line;... MICROSECONDS; None for one without frames."""
        if not line.startswith("P"):
            return None
        stack, us = line.rsplit(" ", 1)
        frames = stack.split(";")[2:]
        return (frames[-1].split(":")[-2], 1, int(us) * 1000) if frames else None
