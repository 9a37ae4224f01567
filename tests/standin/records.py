"""What the stand-in remembers, for tests to look at.

SPDX-License-Identifier: MIT
"""

import json
from dataclasses import dataclass, field


@dataclass
class Connection:
    """One TCP connection. Times are of time.monotonic()."""

    number: int
    listener: str  # "api", "auth" or "metadata"
    opened_s: float
    closed_s: float | None = None
    tls: str | None = None  # "TLSv1.3"
    protocol: str = "http/1.1"  # or "h2"
    requests: int = 0
    tls_problem: str | None = None  # why there was no handshake
    protocol_problem: str | None = None  # why what came was no HTTP

    @property
    def is_open(self):
        return self.closed_s is None


@dataclass
class Request:
    """One request. `headers` has lower-case names; a repeated header's values are joined by
    commas."""

    call: str  # see the package's docstring; "other" for paths that nobody serves
    method: str
    path: str  # without the query
    query: dict
    headers: dict
    body: bytes
    connection: Connection
    at_s: float  # when the whole request was there, time.monotonic()
    header_names: tuple = ()  # as sent, in order
    status: int | None = None  # of the answer; None: none yet, or none at all
    problem: str | None = None  # why it was refused, if it was
    scripted: bool = False  # a test's step answered it
    abandoned: bool = False  # the client went away before the answer

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Upload:
    """A profile that was accepted."""

    name: str
    kind: str  # "CPU", "WALL", ...
    duration: str | None
    deployment: dict
    labels: dict  # the profile's own
    bytes: bytes  # as sent: gzip of the serialized profile
    message: object = field(repr=False)  # the decoded proto
    request: Request = field(repr=False)

    def save(self, directory):
        """Writes the file for ProfileReader or pprof; returns its path."""
        path = directory / f"{self.kind.lower()}-{self.name.rsplit('/', 1)[-1]}.pb.gz"
        path.write_bytes(self.bytes)
        return path
