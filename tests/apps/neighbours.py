"""An app that uses what else Python has for signals, samples and dumps.

    /pid              answers the worker's pid
    /nap?ms=N         sleeps
    /burn?ms=N        burns CPU
    /listen           asks for a byte on a socket for each signal that Python is told of
    /heard            answers the numbers of the signals that came there so far, as JSON
    /take             handles SIGURG from now on
    /dump?ms=N        enables faulthandler, which dumps all threads into a file each N ms
    /dumps            answers how often it has
    /agent?ms=N       burns CPU while Google's agent profiles wall time and then CPU time for N ms
                      each; answers how many bytes the last profile has

SPDX-License-Identifier: MIT
"""

import contextlib
import faulthandler
import json
import os
import signal
import socket
import tempfile
import threading
import time
from urllib.parse import parse_qs

import burn

# Python is told of a signal only if it handles it.
SIGNAL = signal.SIGRTMIN + 3

wakeups, wakeups_end = socket.socketpair()
wakeups.setblocking(False)
wakeups_end.setblocking(False)
heard = []
dump_file = tempfile.TemporaryFile()  # noqa: SIM115  faulthandler writes to it for ever


def nap(ms):
    time.sleep(ms / 1000)
    return os.getpid()


def burn_for(ms):
    burn.burn(ms)
    return os.getpid()


def listen(_ms):
    signal.set_wakeup_fd(wakeups_end.fileno())
    return os.getpid()


def what_was_heard(_ms):
    with contextlib.suppress(BlockingIOError):
        heard.extend(wakeups.recv(1 << 16))
    return json.dumps(heard)


def take(_ms):
    signal.signal(signal.SIGURG, lambda _number, _frame: None)
    return os.getpid()


def dump(ms):
    faulthandler.enable(file=dump_file)
    faulthandler.dump_traceback_later(ms / 1000, repeat=True, file=dump_file)
    return os.getpid()


def count_dumps(_ms):
    dump_file.seek(0)
    return dump_file.read().count(b"Timeout (")


def collect(profiler, ms, profiles):
    # The agent itself trips over frames without a line, which CPython 3.11 has.
    with contextlib.suppress(TypeError):
        profiles.append(profiler.profile(ms * 1_000_000))


def run_agent(ms):
    from googlecloudprofiler import cpu_profiler, pythonprofiler

    wall = pythonprofiler.WallProfiler(10)
    wall.register_handler()
    profiles = []
    for profiler in (wall, cpu_profiler.CPUProfiler(10)):
        thread = threading.Thread(target=collect, args=(profiler, ms, profiles))
        thread.start()
        while thread.is_alive():
            burn.burn(10)
        thread.join()
    return len(profiles[-1])


ROUTES = {
    "/pid": lambda ms: os.getpid(),
    "/nap": nap,
    "/burn": burn_for,
    "/listen": listen,
    "/heard": what_was_heard,
    "/take": take,
    "/dump": dump,
    "/dumps": count_dumps,
    "/agent": run_agent,
}


def application(environ, start_response):
    ms = int(parse_qs(environ["QUERY_STRING"]).get("ms", ["0"])[0])
    body = str(ROUTES[environ["PATH_INFO"]](ms)).encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


signal.signal(SIGNAL, lambda _number, _frame: None)
