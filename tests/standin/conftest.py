"""What the stand-in's own tests share.

SPDX-License-Identifier: MIT
"""

import socket

import pytest


@pytest.fixture(autouse=True)
def localhost(monkeypatch):
    """The name localhost is the loopback interface (RFC 6761, 6.3), also on a machine that has
    no /etc/hosts, as a minimal chroot or container."""
    resolve = socket.getaddrinfo

    def resolve_locally(host, *more, **options):
        return resolve("127.0.0.1" if host == "localhost" else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_locally)
