#!/usr/bin/python3
"""A reload of uWSGI starts the next life with the environment that the app made in the master, not
with the one that the server was started with (core/master_utils.c: execvp).

Builds uWSGI 2.0.31 from PyPI. Because of this plugin/host/gateway_environment.c tells the app's
values apart.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

UWSGI = "uwsgi==2.0.31"
SECONDS = 60
APP = """
import os
with open({log!r}, "a") as log:
    log.write(os.environ.get("OF_THE_APP", "unset") + "\\n")
os.environ["OF_THE_APP"] = "set"
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"ok"]
"""


def lives(log, count):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        seen = log.read_text().split() if log.exists() else []
        if len(seen) >= count:
            return seen
        time.sleep(0.05)
    sys.exit(f"uWSGI did not load the app {count} times")


def wait_for_answer(path):
    """From then on uWSGI takes SIGHUP for a reload."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.settimeout(1)
            client.connect(path)
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            if client.recv(100):
                return
        time.sleep(0.05)
    sys.exit("uWSGI did not answer")


def main():
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        venv.create(directory / "venv", with_pip=True)
        install = [directory / "venv/bin/pip", "-q", "install", UWSGI]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
        log = directory / "log"
        (directory / "app.py").write_text(APP.format(log=str(log)))
        options = ["--master", "--http-socket", str(directory / "s"), "--die-on-term"]
        server = subprocess.Popen(
            [directory / "venv/bin/uwsgi", *options, "--wsgi-file", directory / "app.py"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={key: value for key, value in os.environ.items() if key != "OF_THE_APP"},
        )
        try:
            lives(log, 1)
            wait_for_answer(str(directory / "s"))
            server.send_signal(signal.SIGHUP)
            seen = lives(log, 2)
        finally:
            server.kill()
            server.wait()
    print(f"uWSGI 2.0.31: a variable that the app sets is {seen[1]} after a reload (expected: set)")
    return seen != ["unset", "set"]


sys.exit(main())
