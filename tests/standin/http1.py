"""HTTP/1.1 on one connection, by h11.

SPDX-License-Identifier: MIT
"""

import http

import h11

HEAD_BYTES_MAX = 64 << 10


class Http1:
    """`wire` carries the bytes; one request is answered at a time."""

    def __init__(self, wire):
        self._wire = wire
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        self._head = None
        self._body = bytearray()

    def receive(self, data):
        self._http.receive_data(data)
        self._read()

    def _read(self):
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as problem:
                self._wire.refuse_bytes(problem)
                return
            if event is h11.NEED_DATA:
                self._say_continue()
                return
            if event is h11.PAUSED:
                return
            self._take(event)

    def _say_continue(self):
        if self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[])
            self._wire.write(self._http.send(go_on))

    def _take(self, event):
        if isinstance(event, h11.Request):
            self._head = event
            self._body = bytearray()
        elif isinstance(event, h11.Data):
            self._body += event.data
        elif isinstance(event, h11.EndOfMessage):
            self._wire.dispatch(
                self,
                self._head.method.decode(),
                self._head.target.decode("ascii", "replace"),
                [(k.decode(), v.decode("latin-1")) for k, v in self._head.headers.raw_items()],
                bytes(self._body),
            )

    # The exchange

    async def _send(self, event):
        try:
            data = self._http.send(event)
        except h11.LocalProtocolError as problem:  # the client broke off meanwhile
            raise ConnectionResetError(str(problem)) from None
        self._wire.write(data or b"")
        await self._wire.drained()

    async def start(self, status, headers, length):
        """Without a length the body is sent chunked."""
        if length is None:
            headers = [*headers, ("transfer-encoding", "chunked")]
        else:
            headers = [*headers, ("content-length", str(length))]
        reason = http.HTTPStatus(status).phrase.encode()
        await self._send(h11.Response(status_code=status, headers=headers, reason=reason))

    async def data(self, data):
        await self._send(h11.Data(data=data))

    async def end(self):
        await self._send(h11.EndOfMessage())
        if self._http.our_state is not h11.DONE:
            self._wire.drop()
            return
        self._http.start_next_cycle()
        self._read()

    async def say_connected(self):
        """Answers CONNECT; what follows is no HTTP of this connection."""
        await self._send(h11.Response(status_code=200, headers=[], reason=b"Connected"))
