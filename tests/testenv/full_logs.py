"""A gateway that finds logs full of samples, and what that costs it. `make unit` builds the program
that writes the logs: tests/unit/full_logs_gateway.c.

SPDX-License-Identifier: MIT
"""

import contextlib
import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from .build import GATEWAY, PLUGIN_DIR, SOURCE
from .load import UnixConnection
from .processes import cpu_ns
from .profiles import KINDS, profile_files
from .wait import wait_for

WRITER = SOURCE / "build" / "unit" / "full_logs_gateway"
SORTS = ("busy", "names", "frames", "leaves", "tags", "gevent", "lines")

READ_SECONDS = 120


class Reading(NamedTuple):
    """How a gateway read full logs."""

    expected_ns: dict  # by kind: what the totals of the profiles must be
    files: dict  # by kind
    metrics: str  # the last answer
    idle_peak_bytes: int  # before the window ended
    peak_bytes: int
    longest_s: float  # that it took to answer /metrics
    cpu_s: float


def peak_bytes(pid):
    """The most memory that the process ever had."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) * 1024


class Asker:
    """Asks a gateway for /metrics, and keeps the longest time that an answer took."""

    def __init__(self, socket):
        self._socket = socket
        self.longest_s = 0.0

    def ask(self):
        text, took = _ask(self._socket)
        self.longest_s = max(self.longest_s, took)
        return text


def _ask(socket, path="/metrics"):
    connection = UnixConnection(str(socket))
    with contextlib.closing(connection):
        begin = time.monotonic()
        connection.request("GET", path)
        text = connection.getresponse().read().decode()
        return text, time.monotonic() - begin


def _is_listening(socket):
    try:
        return _ask(socket)
    except (FileNotFoundError, ConnectionRefusedError):
        return None


def read_full_logs(directory, sort, slots=16, log_mib=4, memory_mib=64, program=None):
    """Asks for /metrics again and again while the gateway makes the profiles."""
    socket = directory / "endpoint"
    command = [WRITER, program or PLUGIN_DIR / GATEWAY, sort, slots, log_mib, socket]
    command = [str(part) for part in [*command, directory, memory_mib]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as gateway:
        try:
            words = gateway.stdout.readline().split()
            cpu, asleep = int(words[1]), int(words[3])
            wait_for(lambda: _is_listening(socket), "the endpoint")
            idle, before = peak_bytes(gateway.pid), cpu_ns(gateway.pid)
            asker = Asker(socket)

            def both_files():
                asker.ask()
                found = {kind: profile_files(directory, kind) for kind in KINDS}
                return found if all(found.values()) else None

            found = wait_for(both_files, f"profiles of {sort} logs", READ_SECONDS)
            files = {kind: paths[0] for kind, paths in found.items()}
            metrics = asker.ask()
            return Reading(
                {"cpu": cpu, "wall": cpu + asleep},
                files,
                metrics,
                idle,
                peak_bytes(gateway.pid),
                asker.longest_s,
                (cpu_ns(gateway.pid) - before) / 1e9,
            )
        finally:
            gateway.terminate()
            try:
                gateway.wait(timeout=5)
            except subprocess.TimeoutExpired:
                gateway.kill()
