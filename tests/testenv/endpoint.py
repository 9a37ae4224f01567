"""A client of the local endpoint.

SPDX-License-Identifier: MIT
"""

import http.client
import json
import re
import socket
from urllib.parse import quote, urlsplit

from .wait import wait_for

SECONDS = 60.0
TOKEN = "a-token-of-the-tests-0123456789"
READY = r"the endpoint is ready: (?:curl --unix-socket (\S+) )?(http://\S+)"


class _Connection(http.client.HTTPConnection):
    """Over TCP, or over the unix socket at `path`."""

    def __init__(self, host, port, path):
        super().__init__(host, port, timeout=SECONDS)
        self._path = path

    def connect(self):
        if not self._path:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


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

    def connect(self):
        """A socket that has not said anything."""
        connection = _Connection(self.host, self.port, self.path)
        connection.connect()
        return connection.sock

    def ask(self, path, method="GET", body=None, token=True, **headers):
        connection = _Connection(self.host, self.port, self.path)
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
        connection = _Connection(self.host, self.port, self.path)
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


def token_in(query):
    return re.fullmatch(r"token=(\S+)", query).group(1)
