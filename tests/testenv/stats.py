"""uWSGI's stats server: for servers with `stats = stats.sock`.

SPDX-License-Identifier: MIT
"""

import json
import socket

from .wait import wait_for

SOCKET = "stats.sock"


def read(server):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(server.directory / SOCKET))
        with connection.makefile("rb") as answer:
            return json.load(answer)


def wait_until_idle(server):
    """Until no core serves a request: its client has the answer before uWSGI is done with it."""

    def is_idle():
        cores = [core for worker in read(server)["workers"] for core in worker["cores"]]
        return cores and not any(core["in_request"] for core in cores)

    wait_for(is_idle, "cores without a request")
