#!/usr/bin/python3
"""A uWSGI that reloads ends its gateways at once, and its workers when they have answered: a
gateway is gone while requests are still served. No plugin of ours is loaded; the gateway is
uWSGI's own HTTP router.

usage: tests/assumptions/reload_ends_gateways_first.py   (`make assumptions`)

UWSGI and UWSGI_PYTHON_PLUGIN in the environment: see tests/testenv/build.py. Prints
one line; exit status 1 if it is not so.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

UWSGI = os.environ.get("UWSGI", "/usr/bin/uwsgi")
SECONDS = 30
PYTHON_PLUGIN = os.environ.get("UWSGI_PYTHON_PLUGIN", "python3")
# Debian's uWSGI loads Python and the router as plugins; others have them built in.
PLUGINS = ["--plugin", PYTHON_PLUGIN, "--plugin", "http"] if PYTHON_PLUGIN else []
OPTIONS = ["--master", "--http", "127.0.0.1:0", "--wsgi-file", "app.py"]
GATEWAY_ENDED = 'gateway "uWSGI http 1" has been buried'

# Answers once the file "go" is there.
APP = """
import os, time

def application(environ, start_response):
    open("began", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.02)
    start_response("200 OK", [])
    return [b"answered"]
"""


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def ask(path, answers):
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(SECONDS)
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while part := client.recv(1024):
            answers.append(part)


def look(place):
    """Whether a request was answered after the gateway had ended."""
    (place / "app.py").write_text(APP)
    log = place / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [UWSGI, *PLUGINS, *OPTIONS, "--http-socket", place / "socket"],
            cwd=place,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    answers = []
    client = threading.Thread(target=ask, args=(place / "socket", answers))
    try:
        wait_for(lambda: "spawned uWSGI http 1" in log.read_text())
        client.start()
        wait_for((place / "began").exists)
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: GATEWAY_ENDED in log.read_text())
        (place / "go").touch()
        client.join(SECONDS)
        return b"".join(answers).endswith(b"answered")
    finally:
        (place / "go").touch()
        server.send_signal(signal.SIGINT)
        server.wait(SECONDS)


with tempfile.TemporaryDirectory() as name:
    is_so = look(Path(name))
print(f"{'yes' if is_so else 'NO'}: a reload ends gateways while workers still answer")
sys.exit(0 if is_so else 1)
