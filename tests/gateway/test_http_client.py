"""The gateway's HTTP client against real sockets: what can become of a call, and over how many
connections.

SPDX-License-Identifier: MIT
"""

import base64
import gzip
import socket
import ssl
import time
import warnings

import pytest
from standin import hang, raw
from testenv import processes
from testenv.certificates import Authority
from testenv.http_servers import Server
from testenv.http_tool import HttpTool
from testenv.wait import wait_for

NAME = "api.test"  # the tool finds all names under .test at 127.0.0.1
MIB = 1024 * 1024

# Turns of the loop that a call may take which nothing but its deadline ends. One that span would
# take hundreds of thousands.
TURNS_MAX = 60


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def context(authority):
    return authority.server_context(NAME)


@pytest.fixture
def ended():
    """Ends what is given to it when the test is over."""
    things = []

    def keep(thing):
        things.append(thing)
        return thing

    yield keep
    for thing in reversed(things):
        thing.end()


@pytest.fixture
def serve(ended, context):
    """Starts a server by TLS; without a function it answers "ok"."""
    return lambda behave=lambda handler: handler.answer(), context=context: ended(
        Server(behave, context)
    )


@pytest.fixture
def call(ended, authority):
    """Runs the tool to its end; the answers."""

    def run(*arguments, **environment):
        tool = ended(HttpTool("--ca-file", authority.file, *arguments, **environment))
        answers = tool.finish()
        run.turns = tool.summary["turns"]
        return answers

    return run


def url(server, path="/", scheme="https", name=NAME):
    return f"{scheme}://{name}:{server.port}{path}"


def outcomes(answers):
    return [answer["outcome"] for answer in answers]


# Requests and answers


def test_a_request_arrives_as_it_was_given(serve, call):
    server = serve()

    [answer] = call(
        "--method", "PATCH", "--header", "X-One: 1", "--header", "X-Two: 2", "--body-bytes",
        2 * MIB, url(server, "/path?query"),
    )  # fmt: skip

    [request] = server.requests
    assert answer["outcome"] == "answered" and answer["status"] == 200 and answer["body"] == "ok"
    assert (request.command, request.path) == ("PATCH", "/path?query")
    assert request.body == b"x" * (2 * MIB)
    assert request.headers["X-One"] == "1" and request.headers["X-Two"] == "2"
    assert request.headers["User-Agent"] == "http_tool/1"
    assert request.headers["Expect"] is None


def test_a_post_may_be_empty(serve, call):
    server = serve()

    assert outcomes(call("--method", "POST", url(server))) == ["answered"]
    assert server.requests[0].command == "POST"
    assert server.requests[0].headers["Content-Length"] == "0"


@pytest.mark.parametrize("status", [204, 302, 400, 401, 403, 404, 409, 429, 500, 503, 504])
def test_every_status_is_an_answer(serve, call, status):
    server = serve(lambda handler: handler.answer(b"" if status == 204 else b"why", status))

    [answer] = call(url(server))

    assert (answer["outcome"], answer["status"], answer["trouble"]) == ("answered", status, "")
    assert answer["body"] == ("" if status == 204 else "why")


def test_the_headers_that_matter_are_read(serve, call):
    def behave(handler):
        handler.wfile.write(
            b"HTTP/1.1 103 Early Hints\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\n\r\n"
            b"HTTP/1.1 429 Wait\r\nContent-Length: 0\r\ndate:  Sun, 06 Nov 1994 08:49:37 GMT \r\n"
            b"Retry-After: 120\r\nMetadata-Flavor: Google\r\n\r\n"
        )

    [answer] = call(url(serve(behave)))

    assert answer["status"] == 429
    assert answer["date_unix_s"] == 784111777
    assert answer["retry_after_s"] == 120
    assert answer["metadata_flavor"] is True


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("Retry-After", 0), ("-5", 0), ("soon", 0),
     ("Sun, 06 Nov 1994 08:49:37 GMT", 0), ("7", 7)],
)  # fmt: skip
def test_an_odd_retry_after_is_harmless(serve, call, header, seconds):
    server = serve(lambda handler: handler.answer(Retry_After=header, Date="not a date" * 20))

    [answer] = call(url(server))

    assert answer["outcome"] == "answered"
    assert answer["retry_after_s"] == seconds


def test_a_retry_after_of_years_is_a_day_or_what_libcurl_takes_for_the_longest(serve, call):
    server = serve(lambda handler: handler.answer(Retry_After="99999999"))

    [answer] = call(url(server))

    assert answer["retry_after_s"] in (86400, 21600)  # six hours from libcurl 8 on


def test_a_header_of_an_informational_answer_is_not_the_answer_s(serve, call):
    def behave(handler):
        handler.wfile.write(
            b"HTTP/1.1 103 Early Hints\r\nMetadata-Flavor: Google\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        )

    [answer] = call(url(serve(behave)))

    assert answer["metadata_flavor"] is False


def test_chunks_are_put_together(serve, call):
    def behave(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(1000):
            handler.wfile.write(b"3\r\nabc\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    [answer] = call(url(serve(behave)))

    assert answer["body"] == "abc" * 1000


def test_gzip_is_offered_and_decoded(serve, call):
    server = serve(
        lambda handler: handler.answer(gzip.compress(b"words " * 100), Content_Encoding="gzip")
    )

    [answer] = call(url(server))

    assert server.requests[0].headers["Accept-Encoding"] == "gzip"
    assert answer["body"] == "words " * 100


def test_nul_bytes_are_counted(serve, call):
    [answer] = call(url(serve(lambda handler: handler.answer(b"a\0b" * 2000))))

    assert answer["body_bytes"] == 6000


# Bounds


@pytest.mark.parametrize("announced", [True, False])
def test_100_mib_are_broken_off(serve, call, announced):
    sent = []

    def behave(handler):
        length = b"Content-Length: %d\r\n" % (100 * MIB) if announced else b""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + length + b"\r\n")
        for _ in range(100):
            handler.wfile.write(bytes(MIB))
            sent.append(MIB)

    server = serve(behave)

    assert outcomes(call("--answer-bytes", 1000, url(server))) == ["too large"]
    assert sum(sent) < 50 * MIB


def test_an_answer_of_just_the_length_that_is_allowed(serve, call):
    server = serve(lambda handler: handler.answer(b"x" * 1000))

    assert outcomes(call("--answer-bytes", 1000, url(server))) == ["answered"]
    assert outcomes(call("--answer-bytes", 999, url(server))) == ["too large"]


def test_a_gzip_bomb_is_broken_off(serve, call):
    bomb = gzip.compress(bytes(64 * MIB))
    assert len(bomb) < 100_000
    server = serve(lambda handler: handler.answer(bomb, Content_Encoding="gzip"))

    assert outcomes(call("--answer-bytes", 100_000, url(server))) == ["too large"]


def test_headers_without_end_are_broken_off(serve, call):
    def behave(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            handler.wfile.write(b"X-More: " + b"x" * 100 + b"\r\n")

    assert outcomes(call(url(serve(behave)))) == ["too large"]


# Trust


def test_a_certificate_of_another_name_is_not_trusted(serve, call):
    server = serve()

    [answer] = call(url(server, name="other.test"))

    assert answer["outcome"] == "untrusted" and "other.test" in answer["trouble"]
    assert not server.requests


def test_an_expired_certificate_is_not_trusted(serve, call, authority):
    server = serve(context=authority.server_context(NAME, first_day=-9, last_day=-1))

    [answer] = call(url(server))

    assert answer["outcome"] == "untrusted" and "expired" in answer["trouble"]


def test_a_certificate_of_the_future_is_not_trusted(serve, call, authority):
    server = serve(context=authority.server_context(NAME, first_day=1))

    assert outcomes(call(url(server))) == ["untrusted"]


def test_an_unknown_authority_is_not_trusted(serve, call, tmp_path):
    server = serve(context=Authority(tmp_path, "stranger").server_context(NAME))

    assert outcomes(call(url(server))) == ["untrusted"]


def test_without_a_file_the_system_s_authorities_judge(serve, ended):
    tool = ended(HttpTool(url(serve())))

    assert outcomes(tool.finish()) == ["untrusted"]


@pytest.mark.parametrize("kind", ["missing", "empty", "directory"])
def test_a_ca_file_that_is_none_is_named(serve, ended, tmp_path, kind):
    file = tmp_path / "ca.pem"
    if kind == "empty":
        file.touch()
    if kind == "directory":
        file.mkdir()
    server = serve()

    [answer] = ended(HttpTool("--ca-file", file, url(server))).finish()

    assert answer["outcome"] == "no CA" and str(file) in answer["trouble"]
    assert not server.requests


def test_a_ca_file_is_read_for_each_connection(serve, ended, tmp_path, authority):
    file = tmp_path / "ca.pem"
    server = serve()
    tool = ended(HttpTool("--ca-file", file, url(server), "--on-go", url(server), url(server)))
    tool.wait_for_answers(1)

    for number, content in enumerate((Authority(tmp_path, "stranger"), authority), 2):
        file.write_bytes(content.file.read_bytes())
        tool.command("go")
        tool.wait_for_answers(number)

    assert outcomes(tool.finish()) == ["no CA", "untrusted", "answered"]


def test_old_tls_is_refused_whatever_the_system_allows(serve, call, authority, tmp_path):
    context = authority.server_context(NAME)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old TLS
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    lenient = tmp_path / "openssl.cnf"
    lenient.write_text(
        "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n"
        "[default]\nMinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n"
    )

    assert outcomes(call(url(serve(context=context)), OPENSSL_CONF=str(lenient))) == ["broken"]


# Failures


def test_a_redirect_is_not_followed(serve, call):
    plain = serve(context=None)
    server = serve(lambda handler: handler.answer(status=302, Location=url(plain, scheme="http")))

    [answer] = call("--plain", url(server))

    assert (answer["outcome"], answer["status"]) == ("answered", 302)
    assert plain.connections.count == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["http://api.test/"], "not allowed"),
        (["file:///etc/passwd"], "neither"),
        (["words"], "neither"),
        ([""], "neither"),
        (["--deadline-ms", "0", "https://api.test/"], "deadline"),
        (["--header", "A: b\r\nC: d", "https://api.test/"], "line break"),
    ],
)
def test_what_is_no_request_is_refused(call, arguments, word):
    [answer] = call(*arguments)

    assert answer["outcome"] == "refused" and word in answer["trouble"]


@pytest.mark.parametrize("address", ["https://", "https://a b/", "https://api.test:port/"])
def test_a_url_that_is_none_fails(call, address):
    assert outcomes(call(address)) == ["failed"]


def test_a_port_that_nobody_listens_at_is_unreachable(call):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    assert outcomes(call(f"https://{NAME}:{port}/")) == ["unreachable"]


def test_a_server_that_never_shakes_hands_is_unreachable(call):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        assert outcomes(call("--connect-ms", 200, f"https://{NAME}:{port}/")) == ["unreachable"]
    assert call.turns < TURNS_MAX


def test_a_name_that_is_none_is_unresolved(call):
    assert outcomes(call("https://nowhere.test/")) == ["unresolved"]


def test_a_name_server_that_is_silent_holds_up_nothing(call):
    answers = call("--connect-ms", 200, "https://hang.test/", "--connect-ms", 9999,
                   "--deadline-ms", 200, "https://hang.test/")  # fmt: skip

    assert outcomes(answers) == ["unresolved", "too late"]
    assert call.turns < TURNS_MAX


def test_a_call_whose_name_is_looked_up_can_be_stopped(ended):
    tool = ended(HttpTool("https://hang.test/", "--on-go", "https://hang.test/"))

    tool.command("cancel")
    tool.wait_for_answers(1)
    tool.command("go")
    tool.command("stop")

    assert outcomes(tool.finish()) == ["cancelled"]


@pytest.mark.parametrize("tls", [True, False])
def test_a_reset_in_mid_body_is_broken(serve, call, context, tls):
    def behave(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome")
        handler.reset()

    server = serve(behave, context if tls else None)

    assert outcomes(call("--plain", url(server, scheme="https" if tls else "http"))) == ["broken"]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"\0" * 1000,
    ],
    ids=["nothing", "too little", "half of chunks", "bad chunk", "bad gzip", "other", "zeros"],
)  # fmt: skip
def test_what_is_no_answer_is_broken(serve, call, said):
    def behave(handler):
        handler.wfile.write(said)
        handler.close_connection = True

    assert outcomes(call(url(serve(behave)))) == ["broken"]


def test_a_server_without_tls_is_broken(serve, call):
    assert outcomes(call(url(serve(context=None)))) == ["broken"]


def test_a_byte_at_a_time_goes_on_until_the_deadline(serve, call):
    stopped = []

    def behave(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        handler.connection.settimeout(0.05)  # a byte each 50 ms, until the client closes
        while not stopped:
            try:
                handler.wfile.write(b"x")
                stopped.append(handler.connection.recv(1))
            except TimeoutError:
                continue
            except OSError as error:  # it closed before the byte was sent
                stopped.append(error)

    server = serve(behave)

    assert outcomes(call("--deadline-ms", 500, url(server))) == ["too late"]
    assert call.turns < TURNS_MAX
    wait_for(lambda: stopped, "the end of the connection")


def test_a_deadline_holds_for_a_call_that_waits_for_the_connection(serve, call):
    server = serve(lambda handler: handler.hang())

    answers = call("--together", "--deadline-ms", 600, url(server), "--deadline-ms", 200,
                   url(server, "/second"))  # fmt: skip

    assert [answer["url"][-1] for answer in answers] == ["d", "/"]
    assert outcomes(answers) == ["too late", "too late"]
    assert call.turns < TURNS_MAX


def test_a_loop_without_room_fails_the_call(serve, call):
    answers = call("--crowd", url(serve()), url(serve()))

    assert outcomes(answers) == ["failed", "failed"]
    assert "descriptors" in answers[0]["trouble"]


# Connections


def test_20_calls_in_a_row_are_one_connection(serve, call):
    server = serve()

    assert outcomes(call(*[url(server)] * 20)) == ["answered"] * 20
    assert server.connections.count == 1


def test_calls_at_once_share_one_connection(serve, call):
    server = serve()

    assert outcomes(call("--together", *[url(server)] * 20)) == ["answered"] * 20
    assert server.connections.count == 1


def test_a_hanging_call_is_cancelled_at_once_and_its_connection_closed(serve, ended, authority):
    server = serve(lambda handler: handler.hang() if handler.path == "/hang" else handler.answer())
    tool = ended(HttpTool("--ca-file", authority.file, url(server, "/hang"), url(server)))
    wait_for(lambda: server.requests, "the request")

    tool.command("cancel")

    assert outcomes(tool.finish()) == ["cancelled", "answered"]
    assert server.connections.count == 2
    assert server.connections.open_at_most == 1
    assert tool.summary["turns"] < TURNS_MAX


def test_a_client_that_is_destroyed_closes_at_once(serve, ended, authority):
    server = serve(lambda handler: handler.hang())
    tool = ended(HttpTool("--ca-file", authority.file, "--together", url(server), url(server)))
    wait_for(lambda: server.requests, "the request")

    tool.command("stop")

    assert tool.finish() == []
    wait_for(lambda: server.connections.open() == 0, "the end of the connection")


def test_after_a_deadline_there_is_still_one_connection(serve, call):
    server = serve(lambda handler: handler.hang() if handler.path == "/hang" else handler.answer())

    answers = call("--deadline-ms", 300, url(server, "/hang"), "--deadline-ms", 60000, url(server))

    assert outcomes(answers) == ["too late", "answered"]
    assert server.connections.open_at_most == 1


def test_a_connection_that_the_server_closed_is_replaced(serve, ended, authority):
    def behave(handler):
        handler.answer()
        handler.close_connection = True  # without a word

    server = serve(behave)
    tool = ended(HttpTool("--ca-file", authority.file, url(server), "--on-go", *[url(server)] * 2))
    for done in (1, 2):
        tool.wait_for_answers(done)
        wait_for(lambda: server.connections.open() == 0, "the end of the connection")
        tool.command("go")

    assert outcomes(tool.finish()) == ["answered"] * 3
    assert server.connections.count == 3
    assert server.connections.open_at_most == 1


def test_a_call_to_another_server_closes_the_connection_first(serve, call):
    servers = [serve(), serve()]
    open_elsewhere = []

    def behave(handler):
        open_elsewhere.append(servers[0].connections.open())
        handler.answer()

    servers[1].behave = behave

    assert outcomes(call(url(servers[0]), url(servers[1]))) == ["answered"] * 2
    assert open_elsewhere == [0]


def test_other_calls_go_on_while_one_hangs_and_leave_no_connection(serve, ended, authority):
    api = serve(lambda handler: handler.hang())
    other = serve()
    tool = ended(
        HttpTool(
            "--ca-file", authority.file, "--together", url(api), "--other", *[url(other)] * 3
        )
    )  # fmt: skip

    tool.wait_for_answers(3)
    wait_for(lambda: other.connections.open() == 0, "the end of the connections")
    assert api.connections.open() == 1
    tool.command("cancel")

    assert outcomes(tool.finish()) == ["answered"] * 3 + ["cancelled"]


def test_an_idle_connection_costs_no_turn(serve, ended, authority):
    server = serve()
    tool = ended(HttpTool("--ca-file", authority.file, url(server), "--on-go", url(server)))
    tool.wait_for_answers(1)
    client = processes.threads(tool.pid)[0]
    voluntary = client.voluntary_switches()
    time.sleep(1)  # the time in which nothing is to happen
    assert client.voluntary_switches() == voluntary
    tool.command("go")

    assert outcomes(tool.finish()) == ["answered"] * 2
    assert server.connections.count == 1


# HTTP/2


@pytest.fixture
def http2(standin):
    """The stand-in, which answers "ok", but for one call, that hangs."""
    standin.always("update", raw(b"ok"))
    standin.always("discovery", raw(b"ok"))
    standin.always("subject_token", hang())
    return standin


def http2_connections(http2):
    connections = http2.connections_of("api")
    assert {one.protocol for one in connections} == {"h2"}
    return connections


def test_http2_is_used_where_it_is_offered(http2, call):
    upload = f"{http2.endpoint}/v2/projects/p/profiles/one"
    answers = call(
        "--ca-file", http2.ca_file, "--method", "PATCH", "--body-bytes", 300_000, *[upload] * 5
    )

    assert outcomes(answers) == ["answered"] * 5
    assert answers[0]["body"] == "ok"
    assert [len(request.body) for request in http2.requests] == [300_000] * 5
    assert len(http2_connections(http2)) == 1


def test_http2_shares_the_connection_with_a_call_that_hangs(http2, call):
    hanging = f"{http2.endpoint}/subject-token"
    answers = call(
        "--ca-file", http2.ca_file, "--together", "--deadline-ms", 2000, hanging,
        "--deadline-ms", 60000, *[http2.discovery_url] * 2,
    )  # fmt: skip

    assert outcomes(answers) == ["answered", "answered", "too late"]
    assert sorted(one.call for one in http2.requests) == ["discovery", "discovery", "subject_token"]
    assert len(http2_connections(http2)) == 1
    assert call.turns < TURNS_MAX


def test_http2_tells_the_server_of_a_cancel_at_once(http2, ended):
    hanging = f"{http2.endpoint}/subject-token"
    tool = ended(HttpTool("--ca-file", http2.ca_file, hanging, "--on-go", http2.discovery_url))
    http2.wait_for_requests("subject_token")

    tool.command("cancel")
    wait_for(lambda: not http2.connections[0].is_open, "the end of the connection")
    tool.command("go")

    assert outcomes(tool.finish()) == ["cancelled", "answered"]
    assert len(http2_connections(http2)) == 2
    assert http2.most_open("api") == 1
    assert tool.summary["turns"] < TURNS_MAX


# Proxies


@pytest.fixture
def proxy(serve):
    return serve(lambda handler: handler.answer(b"by proxy"), context=None)


def test_a_proxy_of_the_environment_is_asked(proxy, call):
    secret = "user:hush-hush"

    [answer] = call("https://api.test/", HTTPS_PROXY=f"http://{secret}@127.0.0.1:{proxy.port}")

    [request] = proxy.requests
    assert (request.command, request.path) == ("CONNECT", "api.test:443")
    assert request.headers["Proxy-Authorization"].split()[1] == (
        base64.b64encode(secret.encode()).decode()
    )
    assert answer["outcome"] == "unreachable" and "403" in answer["trouble"]
    assert "hush" not in str(answer)


@pytest.mark.parametrize(
    "address",
    ["http://u:hush@127.0.0.1:1/", "http://u:hush@nowhere.test/", "odd://u:hush@h/",
     "http://u:hush@[::1/", "http://u:hush@127.0.0.1:99999/"],
)  # fmt: skip
def test_a_proxy_that_is_none_is_no_reason_to_tell_its_password(call, address):
    [answer] = call("https://api.test/", https_proxy=address)

    assert answer["outcome"] in ("unreachable", "unresolved", "failed")
    assert "hush" not in str(answer)


def test_no_proxy_and_direct_calls_go_by_none(serve, proxy, call):
    server = serve()
    environment = {"https_proxy": f"http://127.0.0.1:{proxy.port}", "NO_PROXY": ".test"}

    assert outcomes(call(url(server), **environment)) == ["answered"]
    del environment["NO_PROXY"]
    assert outcomes(call("--direct", url(server), **environment)) == ["answered"]
    assert not proxy.requests


def test_calls_go_through_the_proxy_s_tunnel_over_one_connection(serve, proxy, call):
    server = serve()
    proxy.tunnel = lambda handler: handler.relay(server.port)

    answers = call(*[url(server)] * 5, https_proxy=f"http://127.0.0.1:{proxy.port}")

    assert outcomes(answers) == ["answered"] * 5
    assert not any(answer["metadata_flavor"] for answer in answers)  # the proxy's, not the server's
    assert (len(server.requests), proxy.connections.count, server.connections.count) == (5, 1, 1)


def test_a_plain_call_is_the_proxy_s_to_answer(proxy, call):
    [answer] = call("--plain", "http://api.test/", http_proxy=f"http://127.0.0.1:{proxy.port}")

    assert answer["body"] == "by proxy"
    assert proxy.requests[0].path == "http://api.test/"
