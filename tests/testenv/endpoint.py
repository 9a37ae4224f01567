"""A client of the local endpoint.

SPDX-License-Identifier: MIT
"""

import contextlib
import http.client
import json
import re
import socket
import threading
from urllib.parse import quote, urlsplit

from .load import REQUEST_SECONDS, UnixConnection
from .sockets import relay
from .wait import wait_for

TOKEN = "a-token-of-the-tests-0123456789"
READY = r"the endpoint is ready: (?:curl --unix-socket (\S+) )?(http://\S+)"


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self.text = self.body.decode(errors="replace")

    def json(self):
        assert self.status == 200, f"{self.status}: {self.text[:300]}"
        return json.loads(self.body)


class Endpoint:
    """The endpoint of a server that runs, as its log says; `token` None: none is sent."""

    def __init__(self, server, token=TOKEN, times=1):
        self.path, url = server.wait_for_log(READY, times)[-1]
        parts = urlsplit(url)
        self.url = f"{parts.scheme}://{parts.netloc}"
        self.query = parts.query
        self.host, self.port = parts.hostname, parts.port
        self.token = token

    def _connection(self):
        if self.path:
            return UnixConnection(self.path)
        return http.client.HTTPConnection(self.host, self.port, timeout=REQUEST_SECONDS)

    def connect(self):
        """A socket that has not said anything."""
        connection = self._connection()
        connection.connect()
        return connection.sock

    def ask(self, path, method="GET", body=None, token=True, **headers):
        connection = self._connection()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token and self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        try:
            connection.request(method, path, body, sent)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def begin(self, path):
        """A connection whose answer has not been read."""
        connection = self._connection()
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
        return connection

    def status(self):
        return self.ask("/status").json()

    def wait_for_windows(self, count, source="demand"):
        """The windows that are sampled now, when there are so many of this source."""

        def as_asked():
            found = [one for one in self.status()["windows"] if one["source"] == source]
            return [found] if len(found) == count else None

        return wait_for(as_asked, f"{count} windows of {source}")[0]

    def with_token(self, path):
        """The URL that a tool is given."""
        return f"{self.url}{path}{'&' if '?' in path else '?'}token={quote(self.token)}"


class Relay:
    """A TCP port that leads to a unix socket, as `ssh -L PORT:PATH` makes one, as a context
    manager: for tools that speak TCP alone."""

    def __init__(self, path):
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                threading.Thread(target=self._pass_on, args=(near,), daemon=True).start()

    def _pass_on(self, near):
        far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with near, far, contextlib.suppress(OSError):
            far.connect(self._path)
            relay(near, far)


def token_in(query):
    return re.fullmatch(r"token=(\S+)", query).group(1)
