#!/usr/bin/python3
"""A uWSGI worker that gets SIGTERM while it starts ends all workers: from the fork until it serves
requests it has the master's signal handler, which does not ask whose it is. No plugin of ours is
loaded. The moment is made long here, by a hook that sleeps; by itself it takes milliseconds.

usage: tests/assumptions/sigterm_to_a_worker_that_starts.py   (`make assumptions`)

UWSGI and UWSGI_PYTHON_PLUGIN in the environment: see tests/testenv/build.py. Prints
one line; exit status 1 if it is not so.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

UWSGI = os.environ.get("UWSGI", "/usr/bin/uwsgi")
SECONDS = 30
PYTHON_PLUGIN = os.environ.get("UWSGI_PYTHON_PLUGIN", "python3")
OPTIONS = ["--master", "--processes", "2", "--wsgi-file", "app.py"]
OPTIONS += ["--socket", "socket", "--protocol", "http"]
if PYTHON_PLUGIN:
    OPTIONS = ["--plugin", PYTHON_PLUGIN, *OPTIONS]
BORN = re.compile(r"pawned uWSGI worker (\d) \(.*?pid: (\d+)")

APP = f"""
import os, time, uwsgi

def start():
    is_slow = os.path.exists("slow")
    open(f"starts-{{os.getpid()}}", "w").close()
    if is_slow:
        time.sleep({SECONDS})

uwsgi.post_fork_hook = start

def application(environ, start_response):
    start_response("200 OK", [])
    return []
"""


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def ask(path):
    """Returns when a worker has answered, or given up."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(SECONDS)
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return client.recv(1024)


def births(log):
    """The pids of each worker, oldest first, by its number."""
    pids = {}
    for number, pid in BORN.findall(log.read_text()):
        pids.setdefault(number, []).append(int(pid))
    return pids


def has_born(log, number, times):
    return len(births(log).get(number, [])) >= times


def has_started(log, number, times):
    """Whether the worker is in the hook, or behind it."""
    pids = births(log).get(number, [])
    return len(pids) >= times and (log.parent / f"starts-{pids[times - 1]}").exists()


def main():
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        log = directory / "log"
        (directory / "app.py").write_text(APP)
        with log.open("w") as output:
            server = subprocess.Popen(
                [UWSGI, *OPTIONS], cwd=name, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            wait_for(lambda: has_started(log, "1", 1) and has_started(log, "2", 1))
            (directory / "slow").touch()
            os.kill(births(log)["1"][0], signal.SIGKILL)
            wait_for(lambda: has_started(log, "1", 2))
            (directory / "slow").unlink()
            assert ask(directory / "socket"), "worker 2 serves: it has a handler of its own"
            os.kill(births(log)["1"][1], signal.SIGTERM)
            wait_for(lambda: has_born(log, "2", 2) or server.poll() is not None)
            is_so = "brutally killing workers" in log.read_text() and server.poll() is None
        except (AssertionError, OSError):
            is_so = False
        finally:
            server.kill()
            server.wait()
            for pids in births(log).values():
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
    print(f"SIGTERM to a worker that starts ends the others: {'yes' if is_so else 'NO'}")
    sys.exit(not is_so)


if __name__ == "__main__":
    main()
