"""HTTP/2 on one connection, by h2.

SPDX-License-Identifier: MIT
"""

import asyncio
import contextlib

import h2.config
import h2.connection
import h2.events
import h2.exceptions

CONFIG = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")


@contextlib.contextmanager
def _gone_client():
    """h2's word for a stream that the client has ended, in the words of sockets."""
    try:
        yield
    except h2.exceptions.ProtocolError as problem:
        raise ConnectionResetError(str(problem)) from None


class _Stream:
    """One request and, as an exchange, its answer."""

    def __init__(self, codec, number, headers):
        self._codec = codec
        self._number = number
        self.headers = headers
        self.body = bytearray()
        self.task = None
        self.window_grew = asyncio.Event()

    async def start(self, status, headers, length):
        pairs = [(":status", str(status)), *headers]
        if length is not None:
            pairs.append(("content-length", str(length)))
        with _gone_client():
            self._codec.http.send_headers(self._number, pairs)
        await self._codec.flush()

    async def data(self, data):
        while data:
            sent = self._send_part(data)
            data = data[sent:]
            if sent:
                await self._codec.flush()
            else:
                self.window_grew.clear()
                await self.window_grew.wait()

    def _send_part(self, data):
        """Sends what the client's window has room for; returns how much."""
        http = self._codec.http
        with _gone_client():
            window = http.local_flow_control_window(self._number)
            size = min(window, http.max_outbound_frame_size, len(data))
            if size > 0:
                http.send_data(self._number, data[:size])
        return max(size, 0)

    async def end(self):
        with _gone_client():
            self._codec.http.end_stream(self._number)
        self._codec.forget(self._number)
        await self._codec.flush()


class Http2:
    def __init__(self, wire):
        self._wire = wire
        self._streams = {}
        self.http = h2.connection.H2Connection(CONFIG)
        self.http.initiate_connection()
        self._write()

    def forget(self, number):
        self._streams.pop(number, None)

    def _write(self):
        self._wire.write(self.http.data_to_send())

    async def flush(self):
        self._write()
        await self._wire.drained()

    def receive(self, data):
        try:
            events = self.http.receive_data(data)
        except h2.exceptions.ProtocolError as problem:
            self._write()
            self._wire.refuse_bytes(problem)
            return
        for event in events:
            self._take(event)
        self._write()

    def _take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self._streams[event.stream_id] = _Stream(self, event.stream_id, event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self._streams[event.stream_id].body += event.data
            self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self._dispatch(self._streams[event.stream_id])
        elif isinstance(event, h2.events.StreamReset):
            stream = self._streams.pop(event.stream_id, None)
            if stream and stream.task:
                stream.task.cancel()
        elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            for stream in self._streams.values():
                stream.window_grew.set()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self._wire.drop()

    def _dispatch(self, stream):
        pseudo = dict(pair for pair in stream.headers if pair[0].startswith(":"))
        headers = [pair for pair in stream.headers if not pair[0].startswith(":")]
        headers.insert(0, ("host", pseudo.get(":authority", "")))
        stream.task = self._wire.dispatch(
            stream, pseudo[":method"], pseudo.get(":path", ""), headers, bytes(stream.body)
        )
