"""What a test may have the stand-in do with a request instead of, or beside, the right answer.

SPDX-License-Identifier: MIT
"""

from dataclasses import dataclass, field

from .errors import ApiError


@dataclass(frozen=True)
class Reply:
    """What goes out: made by the handlers, or by a step in their place."""

    status: int = 200
    body: bytes = b""
    headers: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """How one request is answered. Made by the functions below."""

    reply: object = None  # a Reply or an ApiError; None: what the handler says
    hangs: bool = False  # no answer ever
    drops: bool = False  # the connection is closed instead of an answer
    chunked: bool = False
    gzip: bool = False
    byte_every_s: float = 0.0  # the body goes out a byte at a time
    reset_after: int | None = None  # the connection is reset after so many bytes of the body
    filler: int = 0  # so many spaces follow the body


def normal(*, chunked=False, gzip=False, byte_every_s=0.0, reset_after=None):
    """The right answer, sent in an unusual way."""
    return Step(chunked=chunked, gzip=gzip, byte_every_s=byte_every_s, reset_after=reset_after)


def error(status, *, delay=None, details=True, message=None, **how):
    """An error as the API words it. `delay` ("1.5s") is given to the client as RetryInfo, or,
    with details=False, in the message's text alone."""
    return Step(reply=ApiError(status, message or "scripted", delay=delay, details=details), **how)


def raw(body, *, status=200, content_type="application/json; charset=UTF-8", **how):
    """Any bytes as an answer."""
    return Step(reply=Reply(status, body, {"content-type": content_type}), **how)


def huge(size, status=200):
    """A JSON document of `size` bytes, most of them spaces."""
    return Step(
        reply=Reply(status, b"{}", {"content-type": "application/json; charset=UTF-8"}),
        filler=size - 2,
    )


def redirect(location, status=307):
    return Step(reply=Reply(status, b"", {"location": location}))


def hang():
    """No answer ever; the connection stays open until the client or the test ends it."""
    return Step(hangs=True)


def drop():
    """The connection is closed without an answer."""
    return Step(drops=True)


def reset(after=0):
    """The right answer's head and `after` bytes of its body, then a TCP reset."""
    return Step(reset_after=after)
