#!/usr/bin/python3
"""A uWSGI that reloads resets a connection that a worker has just accepted: the signal's handler
ends the worker unless it serves a request, and it does so only from a moment after accept() on.
No plugin of ours is loaded. The moment is made long here; by itself it is met rarely, on a busy
machine.

usage: tests/assumptions/reload_resets_a_request_just_accepted.py   (`make assumptions`)

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
import time
from pathlib import Path

UWSGI = os.environ.get("UWSGI", "/usr/bin/uwsgi")
SECONDS = 30
PYTHON_PLUGIN = os.environ.get("UWSGI_PYTHON_PLUGIN", "python3")
# Without an app: an answer that says so is one.
OPTIONS = ["--master", "--processes", "1"]
if PYTHON_PLUGIN:
    OPTIONS += ["--plugin", PYTHON_PLUGIN]
REQUEST = b"GET / HTTP/1.0\r\n\r\n"

# While the file "slow" is there, accept() returns late, and says in "accepted" that it will.
SLOW_ACCEPT = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int accept4(int listener, struct sockaddr *address, socklen_t *bytes, int flags)
{
    int (*real)(int, struct sockaddr *, socklen_t *, int) = dlsym(RTLD_NEXT, "accept4");
    int fd = real(listener, address, bytes, flags);

    if (fd >= 0 && access("slow", F_OK) == 0) {
        close(open("accepted", O_CREAT | O_WRONLY, 0600));
        usleep(5 * 1000 * 1000);
    }
    return fd;
}

int accept(int listener, struct sockaddr *address, socklen_t *bytes)
{
    return accept4(listener, address, bytes, 0);
}
"""


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def ask(path, meanwhile=lambda: None):
    """What the server sends; empty when it resets the connection or sends nothing."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(SECONDS)
        try:
            client.connect(str(path))
            client.sendall(REQUEST)
            meanwhile()
            return client.recv(1024)
        except OSError:
            return b""


def look(place):
    """Whether an answer came from a server that was told to reload just after accept()."""
    (place / "slow.c").write_text(SLOW_ACCEPT)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", "slow.so", "slow.c"], cwd=place, check=True)
    server = subprocess.Popen(
        [UWSGI, *OPTIONS, "--http-socket", place / "socket"],
        cwd=place,
        env={**os.environ, "LD_PRELOAD": str(place / "slow.so")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def reload():
        wait_for((place / "accepted").exists)
        (place / "slow").unlink()
        server.send_signal(signal.SIGHUP)

    try:
        wait_for(lambda: ask(place / "socket"))
        (place / "slow").touch()
        lost = not ask(place / "socket", reload)
        wait_for(lambda: ask(place / "socket"))  # the server itself is well
        return lost
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(SECONDS)


with tempfile.TemporaryDirectory() as name:
    is_so = look(Path(name))
print(f"{'yes' if is_so else 'NO'}: a reload resets a request that a worker has just accepted")
sys.exit(0 if is_so else 1)
