"""The certificates that the stand-in can show: one that is right, and what may be wrong with it.

SPDX-License-Identifier: MIT
"""

from testenv.certificates import Authority

# The real names as well: a client that asks a proxy for them is led here.
NAMES = (
    "localhost",
    "127.0.0.1",
    "cloudprofiler.googleapis.com",
    "oauth2.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
    "www.googleapis.com",
)
KINDS = ("right", "other name", "expired", "unknown CA")


def make(directory, kind, protocols):
    """Writes ca.pem into a directory; returns its path and the TLS context of a server that shows
    a certificate of one of KINDS."""
    assert kind in KINDS, kind
    authority = Authority(directory, "ca")
    signer = Authority(directory, "other-ca") if kind == "unknown CA" else authority
    names = ("other.example",) if kind == "other name" else NAMES
    last_day = -1 if kind == "expired" else 3
    return authority.file, signer.server_context(*names, last_day=last_day, protocols=protocols)
