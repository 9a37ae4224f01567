#!/usr/bin/python3
"""A uWSGI whose cores share a thread keeps those that are free on a stack that begins with the
highest one on top: three requests at once have the three highest cores, and the next ones again. No
plugin of ours is loaded; uWSGI's own statistics tell which cores serve.

Because of this plugin/tags/request_table.c finds what runs without a look at thousands of cores.

usage: tests/assumptions/highest_free_core_first.py   (`make assumptions`)

UWSGI and UWSGI_PYTHON_PLUGIN in the environment: see tests/testenv/build.py. Prints one line; exit
status 1 if it is not so.

SPDX-License-Identifier: MIT
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

UWSGI = os.environ.get("UWSGI", "/usr/bin/uwsgi")
PYTHON_PLUGIN = os.environ.get("UWSGI_PYTHON_PLUGIN", "python3")
SECONDS = 30
CORES = 1000
REQUESTS = 3
HIGHEST = [CORES - 3, CORES - 2, CORES - 1]
# Without a greenlet a request gives way when it yields.
APP = """
import uwsgi
def application(environ, start_response):
    start_response("200 OK", [])
    yield uwsgi.async_sleep(1)
    yield b"ok"
"""


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def connected(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(SECONDS)
    client.connect(str(path))
    return client


def read_all(client):
    with client:
        return b"".join(iter(lambda: client.recv(65536), b""))


def serving(directory):
    workers = json.loads(read_all(connected(directory / "stats")))["workers"]
    return sorted(core["id"] for core in workers[0]["cores"] if core["in_request"])


def cores_of_requests(directory):
    """Those that serve REQUESTS requests at once; all are over when this returns."""
    clients = [connected(directory / "http") for _ in range(REQUESTS)]
    for client in clients:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    cores = wait_for(lambda: len(found := serving(directory)) == REQUESTS and found)
    for client in clients:
        read_all(client)
    wait_for(lambda: not serving(directory))
    return cores


def main():
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        (directory / "app.py").write_text(APP)
        options = ["--master", "--processes", "1", "--async", str(CORES)]
        options += ["--http-socket", str(directory / "http"), "--stats", str(directory / "stats")]
        if PYTHON_PLUGIN:
            options = ["--plugin", PYTHON_PLUGIN, *options]
        server = subprocess.Popen(
            [UWSGI, *options, "--wsgi-file", str(directory / "app.py")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(server.wait)
        stack.callback(server.kill)
        wait_for((directory / "stats").exists)
        seen = [cores_of_requests(directory) for _ in range(2)]
    print(f"of {CORES} cores {REQUESTS} requests have {seen[0]} and then {seen[1]}")
    return seen != [HIGHEST, HIGHEST]


sys.exit(main())
