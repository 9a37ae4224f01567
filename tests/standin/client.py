"""A client for the tests of the stand-in: one connection, requests written out as the test says.

SPDX-License-Identifier: MIT
"""

import gzip
import http.client
import json
import ssl
from typing import NamedTuple

from . import pprof_rules
from .tokens import PROJECT

SECONDS = 20
PROFILES = f"/v2/projects/{PROJECT}/profiles"
DEPLOYMENT = {
    "projectId": PROJECT,
    "target": "shop",
    "labels": {"language": "python", "version": "1", "zone": "us-central1-a"},
}
TOKEN = "ya29.of-the-test"
HEADERS = {
    "user-agent": "tests/1.0",
    "content-type": "application/json",
    "x-goog-api-format-version": "2",
    "authorization": f"Bearer {TOKEN}",
}


class Answer(NamedTuple):
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


def message():
    """A profile by the reference proto, right in all that pprof looks at."""
    profile = pprof_rules.proto().Profile()
    profile.string_table.extend(["", "sample", "count", "cpu", "nanoseconds", "f", "f.py", "key"])
    profile.sample_type.add(type=1, unit=2)
    profile.sample_type.add(type=3, unit=4)
    profile.period_type.type, profile.period_type.unit = 3, 4
    profile.function.add(id=1, name=5, filename=6)
    profile.location.add(id=1).line.add(function_id=1, line=1)
    sample = profile.sample.add(location_id=[1], value=[1, 10_000_000])
    sample.label.add(key=7, str=5)
    return profile


def packed(profile):
    return gzip.compress(profile.SerializeToString())


def create_document(**over):
    document = {"deployment": DEPLOYMENT, "profileType": ["CPU", "WALL"], **over}
    return {name: value for name, value in document.items() if value is not None}


class Client:
    """Knows the stand-in's CA and has a token that is good."""

    def __init__(self, standin, url=None):
        standin.tokens.accept(TOKEN)
        scheme, _, place = (url or standin.endpoint).partition("://")
        if scheme == "https":
            tls = ssl.create_default_context(cafile=standin.ca_file)
            tls.verify_flags |= ssl.VERIFY_X509_STRICT  # as CPython from 3.13 on
            self._http = http.client.HTTPSConnection(place, timeout=SECONDS, context=tls)
        else:
            self._http = http.client.HTTPConnection(place, timeout=SECONDS)

    def close(self):
        self._http.close()

    def send(self, method, target, headers, body=b""):
        """Sends what is given, header by header in its order and nothing else; pairs or a dict."""
        pairs = list(headers.items()) if isinstance(headers, dict) else headers
        self._http.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in pairs:
            self._http.putheader(name, value)
        self._http.endheaders(body)

    def receive_bytes(self):
        """What comes next, before any answer is parsed."""
        return self._http.sock.recv(1024)

    def read(self):
        answer = self._http.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, answer.read())

    def send_call(self, method, target, document, *, headers=None, body=None):
        data = json.dumps(document).encode() if body is None else body
        merged = {"host": "localhost", "content-length": str(len(data)), **HEADERS}
        merged |= headers or {}
        chosen = {name: value for name, value in merged.items() if value is not None}
        self.send(method, target, chosen, data)

    def call(self, *what, **how):
        """A JSON call to the API: method, path and query, document; `body` in its place.
        `headers` over the usual ones; None takes one away."""
        self.send_call(*what, **how)
        return self.read()

    def send_create(self, **over):
        """Sends the call and does not wait for its answer."""
        self.send_call("POST", PROFILES, create_document(**over))

    def create(self, **over):
        return self.call("POST", PROFILES, create_document(**over))

    def get(self, target, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.send("GET", target, {"host": "localhost", **named})
        return self.read()

    def post_form(self, target, body):
        headers = {
            "host": "localhost",
            "content-type": "application/x-www-form-urlencoded",
            "content-length": str(len(body)),
        }
        self.send("POST", target, headers, body.encode())
        return self.read()
