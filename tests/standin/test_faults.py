"""The faults that a test can script, as a client sees them; connections and their records.

SPDX-License-Identifier: MIT
"""

import base64
import gzip
import http.client
import socket
import ssl

import pytest
from testenv.wait import wait_for

from . import drop, error, hang, huge, normal, raw, redirect, reset
from .client import PROFILES, Client, create_document, message, packed

BROKEN = (ConnectionError, http.client.HTTPException)


@pytest.fixture
def client(standin):
    client = Client(standin)
    yield client
    client.close()


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
    ],
)
def test_a_scripted_error_is_answered_once(standin, client, status, name):
    standin.script("create", error(status))
    standin.release()

    first, second = client.create(), client.create()

    assert first.status == status and first.error["status"] == name
    assert second.status == 200
    assert not standin.problems and standin.requests[0].scripted


def test_a_delay_can_stand_in_the_message_alone(standin, client):
    standin.script("create", error(409, delay="2640s", details=False))

    found = client.create().error

    assert "details" not in found
    assert found["message"] == "generic::aborted: action throttled, backoff for 44m0s"


def test_a_step_for_always_ends_with_unscript(standin, client):
    standin.always("create", error(503))
    assert [client.create().status for _ in range(3)] == [503] * 3

    standin.unscript()
    standin.release()

    assert client.create().status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"[]", b'{"name": 1}', b"\xff\xfe"])
def test_any_bytes_can_be_the_answer(standin, client, body):
    standin.script("create", raw(body))

    assert client.create().body == body


def test_a_huge_answer_has_its_size(standin, client):
    standin.script("create", huge(5_000_000))

    answer = client.create()

    assert len(answer.body) == 5_000_000 and answer.json == {}


def test_a_redirect_names_its_target(standin, client):
    standin.script("create", redirect("http://localhost:1/"))

    answer = client.create()

    assert (answer.status, answer.headers["location"]) == (307, "http://localhost:1/")


def test_chunked_and_gzip_answers_are_the_same_documents(standin, client):
    standin.script("create", normal(chunked=True), normal(gzip=True))
    standin.release()
    standin.release()

    chunked, packed = client.create(), client.create()

    assert chunked.headers["transfer-encoding"] == "chunked" and chunked.json["name"]
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body).startswith(b"{")


def test_a_slow_answer_is_complete(standin, client):
    standin.script("create", normal(byte_every_s=0.001))
    standin.release()

    assert client.create().json["profileType"] == "CPU"


@pytest.mark.parametrize("step", [drop(), reset(), reset(after=20)])
def test_a_broken_connection_is_an_error_of_the_client(standin, client, step):
    standin.script("create", step)
    standin.release()

    with pytest.raises(BROKEN):
        client.create()

    wait_for(lambda: not standin.connections[0].is_open, "the end of the connection")


def test_a_hanging_call_ends_with_the_client(standin, client):
    standin.script("create", hang())
    client.send_create()
    standin.wait_for_requests("create")

    client.close()

    wait_for(lambda: standin.requests[0].abandoned, "the end of the call")


def test_a_client_that_breaks_off_a_huge_answer_stops_it(standin, client, caplog):
    standin.script("create", huge(100_000_000))
    client.send_create()
    client.receive_bytes()

    client.close()

    wait_for(lambda: not standin.connections[0].is_open, "the end of the connection")
    assert not caplog.records  # asyncio warns when it is made to write on


def test_a_create_call_hangs_until_it_is_released(standin, client):
    client.send_create()
    standin.wait_for_hanging()
    assert standin.requests[0].status is None

    standin.release("WALL")

    assert client.read().json["profileType"] == "WALL"
    assert standin.hanging == 0


def test_a_client_that_goes_away_hangs_no_more(standin, client):
    client.send_create()
    standin.wait_for_hanging()

    client.close()

    wait_for(lambda: standin.hanging == 0, "an empty queue")
    standin.release()
    other = Client(standin)
    assert other.create().status == 200  # the release was not lost on the one that went
    other.close()


def test_refused_connections_come_back_on_the_same_port(standin):
    endpoint = standin.endpoint
    standin.refuse("api")
    with pytest.raises(ConnectionRefusedError):
        Client(standin).create()

    standin.listen("api")
    standin.release()

    client = Client(standin)
    assert standin.endpoint == endpoint and client.create().status == 200
    client.close()


def test_a_stalled_listener_accepts_and_says_nothing(standin):
    standin.stall("api")
    port = int(standin.endpoint.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as stalled:
        wait_for(lambda: standin.connections, "the connection")
        standin.stall("api", stalls=False)
        standin.release()
        client = Client(standin)
        assert client.create().status == 200
        client.close()

        stalled.setblocking(False)
        with pytest.raises(BlockingIOError):
            stalled.recv(1)


def test_open_connections_can_be_ended(standin, client):
    standin.release()
    client.create()

    standin.drop_connections()

    wait_for(lambda: not standin.connections[0].is_open, "the end of the connection")


def test_a_large_body_is_asked_for(client):
    client.send("POST", PROFILES, {"host": "a", "content-length": "2", "expect": "100-continue"})

    assert client.receive_bytes().startswith(b"HTTP/1.1 100")


def test_an_upload_can_be_read_by_the_other_tests_tools(standin, client, tmp_path, pprof):
    standin.release("CPU")
    created = client.create().json
    text = base64.b64encode(packed(message())).decode()
    client.call("PATCH", f"/v2/{created['name']}", {**created, "profileBytes": text})

    path = standin.wait_for_uploads()[0].save(tmp_path)

    assert "f.py" in pprof.run("-raw", path)


def tunnel(standin, target):
    host, port = standin.metadata_host.split(":")
    proxied = http.client.HTTPSConnection(
        host, int(port), timeout=20, context=ssl.create_default_context(cafile=standin.ca_file)
    )
    proxied.set_tunnel(*target)
    return proxied


def test_the_proxy_leads_the_real_name_to_the_stand_in(standin):
    proxied = tunnel(standin, ("cloudprofiler.googleapis.com", 443))
    proxied.request("GET", "/discovery/v1/apis/cloudprofiler/v2/rest")

    assert proxied.getresponse().status == 200
    proxied.close()
    assert standin.requests_of("connect")[0].path == "cloudprofiler.googleapis.com:443"
    assert len(standin.connections_of("api")) == 1


def test_the_proxy_leads_nowhere_else(standin):
    proxied = tunnel(standin, ("example.com", 443))

    with pytest.raises((OSError, http.client.HTTPException)):
        proxied.request("GET", "/")

    assert standin.problems
    proxied.close()


def test_connections_are_counted(standin):
    one, two = Client(standin), Client(standin)
    for client in (one, two, one):
        standin.release()
        assert client.create().status == 200
    one.close()
    two.close()

    wait_for(lambda: not any(c.is_open for c in standin.connections), "the end of both")
    assert [c.requests for c in standin.connections_of("api")] == [2, 1]
    assert standin.most_open("api") == 2 and standin.most_open("auth") == 0
    three = Client(standin)
    standin.release()
    three.create()
    three.close()
    assert standin.most_open("api") == 2


@pytest.mark.parametrize("certificate", ["other name", "expired", "unknown CA"])
def test_a_wrong_certificate_stops_a_client(make_standin, certificate):
    standin = make_standin(certificate=certificate)
    client = Client(standin)

    with pytest.raises(ssl.SSLCertVerificationError):
        client.create()

    found = wait_for(lambda: standin.connections, "the connection")
    wait_for(lambda: found[0].tls_problem, "its end")
    assert not standin.requests
    client.close()


def test_a_request_is_recorded_as_it_was_sent(standin, client):
    standin.release()
    client.create()

    request = standin.requests_of("create")[0]

    assert request.json == create_document() and request.path == PROFILES
    assert request.headers["user-agent"] == "tests/1.0"
    assert request.header_names[:2] == ("host", "content-length")
    assert request.connection.tls == "TLSv1.3" and request.status == 200


def test_a_path_that_nobody_serves_is_a_problem(standin, client):
    assert client.get("/v1/projects/lab-project/profiles").status == 404
    assert standin.problems and standin.requests[0].call == "other"


def test_bytes_that_are_no_http_are_a_problem(standin):
    host, port = standin.metadata_host.split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"hello, stand-in\r\n\r\n")
        assert client.recv(1) == b""

    assert standin.problems
