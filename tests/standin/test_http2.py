"""The stand-in over HTTP/2: several calls at once on one connection.

SPDX-License-Identifier: MIT
"""

import json
import socket
import ssl

import h2.config
import h2.connection
import h2.events
import pytest
from testenv.wait import wait_for

from . import huge, normal
from .client import HEADERS, PROFILES, SECONDS, TOKEN, create_document


class Http2Client:
    def __init__(self, standin):
        standin.tokens.accept(TOKEN)
        tls = ssl.create_default_context(cafile=standin.ca_file)
        tls.set_alpn_protocols(["h2", "http/1.1"])
        port = int(standin.endpoint.rsplit(":", 1)[1])
        plain = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.socket = tls.wrap_socket(plain, server_hostname="localhost")
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._http.initiate_connection()
        self._flush()
        self._bodies = {}
        self._ended = set()

    def _flush(self):
        self.socket.sendall(self._http.data_to_send())

    def send(self, document):
        """Sends a create call; returns its stream."""
        stream = self._http.get_next_available_stream_id()
        body = json.dumps(document).encode()
        pseudo = {
            ":method": "POST",
            ":path": PROFILES,
            ":scheme": "https",
            ":authority": "localhost",
        }
        headers = {**pseudo, **HEADERS, "content-length": str(len(body))}
        self._http.send_headers(stream, list(headers.items()))
        self._http.send_data(stream, body, end_stream=True)
        self._flush()
        return stream

    def cancel(self, stream):
        self._http.reset_stream(stream)
        self._flush()

    def read(self, stream):
        """The body of a stream's answer."""
        while stream not in self._ended:
            for event in self._http.receive_data(self.socket.recv(65536)):
                if isinstance(event, h2.events.DataReceived):
                    self._bodies[event.stream_id] = self._bodies.get(event.stream_id, b"")
                    self._bodies[event.stream_id] += event.data
                    self._http.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
                elif isinstance(event, h2.events.StreamEnded):
                    self._ended.add(event.stream_id)
            self._flush()
        return self._bodies.get(stream, b"")


@pytest.fixture
def client(standin):
    client = Http2Client(standin)
    yield client
    client.socket.close()


def test_a_call_hangs_while_another_is_answered(standin, client):
    hanging = client.send(create_document(profileType=["CPU"]))
    standin.wait_for_hanging()
    other = client.send(create_document(profileType=["WALL"]))
    standin.release("WALL")

    assert json.loads(client.read(other))["profileType"] == "WALL"
    assert standin.hanging == 1
    standin.release("CPU")

    assert json.loads(client.read(hanging))["profileType"] == "CPU"
    assert standin.connections[0].protocol == "h2" and len(standin.connections) == 1


def test_a_cancelled_call_hangs_no_more(standin, client):
    stream = client.send(create_document())
    standin.wait_for_hanging()

    client.cancel(stream)

    wait_for(lambda: standin.hanging == 0, "an empty queue")
    assert standin.connections[0].is_open


def test_a_huge_answer_waits_for_the_client_s_window(standin, client):
    standin.script("create", huge(3_000_000))

    assert len(client.read(client.send(create_document()))) == 3_000_000


def test_a_chunked_answer_has_no_length(standin, client):
    standin.script("create", normal(chunked=True))
    standin.release()

    assert json.loads(client.read(client.send(create_document())))["name"]


def test_without_http2_clients_get_http_1(make_standin):
    standin = make_standin(http2=False)

    client = Http2Client(standin)

    assert client.socket.selected_alpn_protocol() == "http/1.1"
    client.socket.close()


def test_bytes_that_are_no_http2_end_the_connection(standin, client):
    client.socket.sendall(b"\0" * 64)

    wait_for(lambda: not standin.connections[0].is_open, "the end")
    assert standin.problems
