"""One TCP connection: TLS, the choice of protocol, and what a broken network does to it.

Http1 and Http2 read and write the protocol; the server behind them sees whole requests and
answers each through an exchange, which both kinds have:

    await exchange.start(status, headers, length)    length None: not known beforehand
    await exchange.data(some_bytes)
    await exchange.end()

SPDX-License-Identifier: MIT
"""

import asyncio
import contextlib
import time

from testenv.sockets import reset_on_close

from .http1 import Http1
from .http2 import Http2
from .records import Connection

HANDSHAKE_SECONDS = 20
# How long a client has to answer TLS's close before the connection is cut.
GOODBYE_SECONDS = 0.3


class Wire(asyncio.Protocol):
    def __init__(self, server, listener):
        self._server = server
        self._listener = listener
        self._codec = None
        self._transport = None
        self._tasks = set()
        self._tunnel = None
        self._early = bytearray()  # came between the handshake and the choice of protocol
        self._writable = asyncio.Event()
        self._writable.set()
        self.record = None

    # asyncio's calls

    def connection_made(self, transport):
        self._transport = transport
        self.record = self._server.opened(self, self._listener.name)
        if self._listener.stalls:
            transport.pause_reading()
        elif self._listener.tls:
            # Until TLS is in between, nothing may read.
            transport.pause_reading()
            self._run(self._secure())
        else:
            self._codec = Http1(self)

    async def _secure(self):
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(
                self._transport,
                self,
                self._listener.tls,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=GOODBYE_SECONDS,
            )
        except (OSError, EOFError) as problem:  # ssl.SSLError is an OSError
            self.record.tls_problem = str(problem) or type(problem).__name__
            self._closed()
            return
        if secured is None:  # the client went away in the same turn of the loop (asyncio, 3.11)
            self.record.tls_problem = "closed"
            self._closed()
            return
        self._transport = secured
        tls = secured.get_extra_info("ssl_object")
        self.record.tls = tls.version()
        if tls.selected_alpn_protocol() == "h2":
            self.record.protocol = "h2"
            self._codec = Http2(self)
        else:
            self._codec = Http1(self)
        if self._early:
            self._codec.receive(bytes(self._early))

    def data_received(self, data):
        if self._tunnel:
            self._tunnel.write(data)
        elif self._codec:
            self._codec.receive(data)
        else:
            self._early += data

    def connection_lost(self, _problem):
        self._closed()

    def pause_writing(self):
        self._writable.clear()

    def resume_writing(self):
        self._writable.set()

    def _closed(self):
        if self.record.is_open:
            self.record.closed_s = time.monotonic()
            self._server.closed(self)
        self._writable.set()
        self.end_calls()
        if self._tunnel:
            self._tunnel.close()

    # For the codecs and the server

    def _run(self, work):
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def dispatch(self, exchange, method, target, headers, body):
        """Has the server answer a whole request; returns the task."""
        self.record.requests += 1
        request = self._server.receive(self.record, method, target, headers, body)
        return self._run(self._server.answer(self, request, exchange))

    def refuse_bytes(self, problem):
        """What came is not the protocol."""
        self.record.protocol_problem = str(problem)
        self.drop()

    def write(self, data):
        self._transport.write(data)

    async def drained(self):
        # Even when there is room: others want their turn, and this client may have gone.
        await asyncio.sleep(0)
        await self._writable.wait()
        if self._transport.is_closing():
            raise ConnectionResetError

    def end_calls(self):
        """Nobody hears their answers any more."""
        for task in self._tasks:
            task.cancel()

    def drop(self):
        self._transport.close()

    def reset(self):
        """Ends the connection by a TCP reset."""
        sock = self._transport.get_extra_info("socket")
        if sock:  # not gone already
            with contextlib.suppress(OSError):
                reset_on_close(sock)
        self._transport.abort()

    async def tunnel_to(self, host, port):
        """From now on bytes go to and from another socket, as through a proxy."""
        loop = asyncio.get_running_loop()
        self._tunnel, _ = await loop.create_connection(lambda: _FarEnd(self), host=host, port=port)

    @staticmethod
    def new_record(number, name):
        return Connection(number, name, time.monotonic())


class _FarEnd(asyncio.Protocol):
    """The other side of a tunnel."""

    def __init__(self, wire):
        self._wire = wire

    def data_received(self, data):
        self._wire.write(data)

    def connection_lost(self, _problem):
        self._wire.drop()
