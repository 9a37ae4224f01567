"""A stand-in for Google: Cloud Profiler's API, the token endpoints and the metadata server.

It runs on real sockets of the loopback interface and refuses whatever a strict server could.
In a test (the fixture of conftest.py makes one and stops it):

    def test_something(standin):
        key = standin.keys.service_account(directory / "key.json")
        ... start a client with
            standin.endpoint        "https://localhost:PORT", the API
            standin.ca_file         the PEM file of the CA that signed its certificate
            key                     a key file whose token_uri is at this stand-in
            standin.metadata_host   "127.0.0.1:PORT", for GCE_METADATA_HOST
        standin.release("CPU", duration="1s")        answers one hanging create call
        upload = standin.wait_for_uploads(1)[0]      an Upload; upload.bytes is the pprof file
        assert standin.connections_of("api")[0].protocol == "h2"

Three listeners, each of which serves every path, so that a test can count the connections of
each: "api" (TLS), "auth" (TLS, where the key files send a client for tokens) and "metadata"
(plain; also an HTTP proxy for http://metadata/ and, with CONNECT, for https).

**Pace.** A create call hangs until release() is called, which may happen before the call comes.
`standin.pace` is one of Hold() (that), BackToBack(kinds, duration) (answers at once, the kinds
that the client asked for in turn) and EachSeconds(seconds, duration) (each kind of a deployment
once in so many seconds). More than 32 hanging calls of one deployment: 409 with RetryInfo.

**Faults.** standin.script(call, *steps) has the next requests of that call answered by the steps,
one each; standin.always(call, step) all others, until standin.unscript(). Calls: "create",
"update", "create_offline", "discovery", "token", "sts", "impersonation", "subject_token",
"metadata". Steps are made by the functions of steps.py: error(503), error(409, delay="1980s"),
error(409, delay="1.5s", details=False), raw(b"{", ...), huge(100_000_000), hang(), drop(),
reset(after=20), redirect("http://..."), normal(chunked=True), normal(gzip=True),
normal(byte_every_s=1.0), normal(reset_after=10), normal() for "as if there were no script".
standin.refuse() and standin.listen() close and open the listeners (on the same ports);
standin.stall() has new connections accepted and never answered; standin.drop_connections() ends
those that are open; standin.expire_tokens() and standin.forget_names() do what they say.

**Records.** standin.requests (each a Request: call, method, path, headers, body, json, status,
problem, connection, at_s), standin.connections (each a Connection), standin.uploads (what was
accepted), standin.problems (the text of every refusal; an undisturbed test asserts that there
is none), standin.most_open("api"). The wait_for_... functions wait with a deadline. An upload is
read by profile_reader.read(upload.save(directory)), or looked at as upload.message.

StandIn(certificate=...) takes "right", "other name", "expired" or "unknown CA"; http2=False
leaves HTTP/1.1 alone; clock_offset_s moves its clock (Date header, tokens' times).

SPDX-License-Identifier: MIT
"""

from .pace import BackToBack, EachSeconds, Hold
from .server import StandIn
from .steps import drop, error, hang, huge, normal, raw, redirect, reset

__all__ = [
    "BackToBack",
    "EachSeconds",
    "Hold",
    "StandIn",
    "drop",
    "error",
    "hang",
    "huge",
    "normal",
    "raw",
    "redirect",
    "reset",
]
