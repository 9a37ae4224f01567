"""A small server of HTTP/1.1 that behaves as a test tells it, on real sockets: what it sends may be
no HTTP at all. That of HTTP/2 is the stand-in (tests/standin/).

SPDX-License-Identifier: MIT
"""

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .sockets import relay, reset_on_close

TCP_TABLE = Path("/proc/net/tcp")
ESTABLISHED = "01"


class Connections:
    """Counts the connections to a port: all that there were, and the most that were open at once.

    The kernel's table knows best: one that the client has closed is not ESTABLISHED any more,
    whether or not the server has read so far.
    """

    def __init__(self, port):
        self._local = f":{port:04X}"
        self.count = 0
        self.open_at_most = 0

    def add(self):
        self.count += 1
        self.open_at_most = max(self.open_at_most, self.open())

    def open(self):
        rows = [line.split() for line in TCP_TABLE.read_text().splitlines()[1:]]
        return sum(row[1].endswith(self._local) and row[3] == ESTABLISHED for row in rows)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0

    def _answer(self):
        length = int(self.headers.get("Content-Length", 0))
        self.body = self.rfile.read(length)
        self.server.requests.append(self)
        with contextlib.suppress(OSError):
            self.server.behave(self)

    do_GET = do_POST = do_PATCH = _answer

    def do_CONNECT(self):
        self.server.requests.append(self)
        with contextlib.suppress(OSError):
            self.server.tunnel(self)
        self.close_connection = True

    def relay(self, port):
        """What a proxy does after CONNECT."""
        self.wfile.write(b"HTTP/1.1 200 Go\r\nMetadata-Flavor: Google\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as far:
            relay(self.connection, far)

    def log_message(self, *_):
        pass

    def answer(self, body=b"ok", status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def reset(self):
        reset_on_close(self.connection)
        self.close_connection = True

    def hang(self):
        """Until the client goes away."""
        with contextlib.suppress(OSError):
            self.connection.recv(1)
        self.close_connection = True


class Server(ThreadingHTTPServer):
    """HTTP/1.1, by TLS if a context is given. behave(handler) answers each request."""

    block_on_close = False

    def __init__(self, behave=_Handler.answer, context=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behave = behave
        self.tunnel = lambda handler: handler.answer(status=403)
        self.context = context
        self.requests = []
        self.port = self.server_address[1]
        self.connections = Connections(self.port)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def get_request(self):
        connection, address = super().get_request()
        self.connections.add()
        return connection, address

    def finish_request(self, request, client_address):
        # The handshake is done here, in the connection's own thread.
        if self.context:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:
                return
        try:
            super().finish_request(request, client_address)
        finally:
            request.close()

    def handle_error(self, request, client_address):
        pass  # clients that go away are what the tests are about

    def end(self):
        self.shutdown()
        self.server_close()
