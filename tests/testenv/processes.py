"""What the kernel says about processes and threads (proc(5)); nothing here is kept.

SPDX-License-Identifier: MIT
"""

import contextlib
import time
from pathlib import Path
from typing import NamedTuple

TICKER_NAME = "cprof-ticker"

PROC = Path("/proc")


class Process(NamedTuple):
    pid: int
    name: str
    state: str
    parent: int
    session: int


def process(pid):
    """The process, or None when it is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in parentheses and may itself hold spaces and parentheses.
    name, rest = text[text.index("(") + 1 :].rsplit(")", 1)
    state, parent, _group, session = rest.split()[:4]
    return Process(pid, name, state, int(parent), int(session))


def _all():
    found = (process(int(path.name)) for path in PROC.iterdir() if path.name.isdigit())
    return [one for one in found if one is not None]


def in_session(session):
    """The living processes of a session, zombies left out."""
    return [one for one in _all() if one.session == session and one.state != "Z"]


def children(parent):
    """The living processes that one process has forked, zombies left out."""
    return [one for one in _all() if one.parent == parent and one.state != "Z"]


def is_alive(pid):
    found = process(pid)
    return found is not None and found.state != "Z"


def program(pid):
    """The file that the process runs, or None if it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return (PROC / str(pid) / "exe").readlink()
    return None


def catches(pid, number):
    """Has the process a handler for the signal?"""
    (mask,) = [
        line.split()[1]
        for line in (PROC / str(pid) / "status").read_text().splitlines()
        if line.startswith("SigCgt:")
    ]
    return bool(int(mask, 16) & 1 << number - 1)


class Thread(NamedTuple):
    pid: int
    tid: int
    name: str

    def _read(self, file):
        return (PROC / str(self.pid) / "task" / str(self.tid) / file).read_text()

    def cpu_ns(self):
        return int(self._read("schedstat").split()[0])

    def run_queue_s(self):
        """How long it has waited for a CPU since it began."""
        return int(self._read("schedstat").split()[1]) / 1e9

    def voluntary_switches(self):
        for line in self._read("status").splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                return int(line.split()[1])
        raise AssertionError("no voluntary_ctxt_switches in proc's status")


def threads(pid):
    found = []
    for task in (PROC / str(pid) / "task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended between the two reads
        found.append(Thread(pid, int(task.name), name))
    return found


def tickers(pid):
    return [thread for thread in threads(pid) if thread.name == TICKER_NAME]


def cpu_ns_without_ticker(pid):
    """CPU time of all threads but the profiler's own, those that have ended included. Exact while
    they sleep."""
    return cpu_ns(pid) - sum(thread.cpu_ns() for thread in tickers(pid))


def cpu_ns(pid):
    """CPU time of a process and of its threads that have ended: the kernel's clock id of a process
    (MAKE_PROCESS_CPUCLOCK with CPUCLOCK_SCHED, include/linux/posix-timers_types.h)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def private_dirty_kib(pid):
    """Memory that is the process's own, and would be free without it."""
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1])
    raise AssertionError("no Private_Dirty in proc's smaps_rollup")


def timers(pid):
    """The POSIX timers of a process, as the kernel lists them; empty: none."""
    try:
        return (PROC / str(pid) / "timers").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def open_files(pid):
    """What the descriptors of a process are, as the kernel names them."""
    found = []
    for descriptor in (PROC / str(pid) / "fd").iterdir():
        try:
            found.append(str(descriptor.readlink()))
        except FileNotFoundError:
            continue  # it was closed between the two reads
    return found


def variables(pid):
    """The names in the environment with which the process's program was started."""
    entries = (PROC / str(pid) / "environ").read_text(errors="replace").split("\0")
    return {entry.partition("=")[0] for entry in entries}
