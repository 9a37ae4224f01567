"""The local endpoint on a real server: what it answers, to whom, and what does not harm it.

SPDX-License-Identifier: MIT
"""

import contextlib
import gzip
import os
import re
import select
import signal
import socket
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from standin import BackToBack
from testenv import processes
from testenv.cloud import LOCAL_OFF, upload_options
from testenv.endpoint import TOKEN, Endpoint, Relay, token_in
from testenv.wait import wait_for

SECRET_PATHS = [
    "/status",
    "/metrics",
    "/profiles/",
    "/profiles/1",
    "/debug/pprof/",
    "/debug/pprof/profile?seconds=1",
    "/debug/pprof/wall?seconds=1",
    "/debug/pprof/stacks",
]
# Parameters of /debug/pprof/profile, and what the refusal offers.
REFUSED = [
    ("seconds=0", "1 to 600"),
    ("seconds=601", "1 to 600"),
    ("seconds=1e9", "1 to 600"),
    ("seconds=1000000000", "1 to 600"),
    ("seconds=-1", "1 to 600"),
    ("seconds=", "1 to 600"),
    ("seconds=99999999999999999999999", "1 to 600"),
    ("period_ms=0", "1 to 1000"),
    ("period_ms=5000", "1 to 1000"),
    ("format=exe", "pprof, collapsed"),
    ("tag.=1", "tag.KEY"),
    ("before_ms=0", "milliseconds since 1970"),
    ("before_ms=now", "milliseconds since 1970"),
    ("colour=red", "no such parameter"),
]
# What a scrape of Prometheus carries where its configuration sets nothing.
PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
    "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept_Encoding": "gzip",
    "User_Agent": "Prometheus/2.42.0",
    "X_Prometheus_Scrape_Timeout_Seconds": "10",
}
TRICKS = [
    "/../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2fetc%2fpasswd",
    "//etc/passwd",
    "/profiles/../../../etc/passwd",
    "/profiles/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/profiles//etc/passwd",
    "/profiles/secret.pb.gz",
    "/profiles/.hidden",
    "/.htaccess",
    "/page.js%00.html",
    "/index.html/../status.html",
    "/profiles/18446744073709551616",
    "/profiles/99999999999999999999999999999999",
]


@pytest.fixture(scope="module")
def server(make_uwsgi_for_module):
    """With nothing but the endpoint: no schedule puts windows beside those of the tests."""
    return make_uwsgi_for_module(
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_http_token=TOKEN,
        cloudprofiler_output_dir=None,
        cloudprofiler_output_interval=None,
        cloudprofiler_output_duration=None,
    ).start()


@pytest.fixture(scope="module")
def endpoint(server):
    return Endpoint(server)


# Profiles


def test_a_profile_of_the_next_second_is_the_workers(server, endpoint, profile_reader, tmp_path):
    with server.load("/own?ms=10", threads=4, rest_s=0.05) as load:
        answer = endpoint.ask("/debug/pprof/profile?seconds=1")
    path = tmp_path / "profile.pb.gz"
    path.write_bytes(answer.body)

    functions = profile_reader.read(path).functions()

    assert answer.status == 200, answer.text
    assert not load.failures
    assert {f"own_function_of_{pid}" for pid in server.workers().values()} <= functions
    assert 'filename="cpu-' in answer.headers["Content-Disposition"]


def test_go_tool_pprof_fetches_by_url(server, endpoint, pprof):
    with server.some_work("/own?ms=10", threads=4):
        top = pprof.run("-top", endpoint.with_token("/debug/pprof/profile?seconds=1"))
        wall = pprof.run("-top", endpoint.with_token("/debug/pprof/wall?seconds=1"))

    assert "own_function_of_" in top and "Type: cpu" in top
    assert "Type: wall" in wall


def test_tools_with_their_defaults_wait_for_the_whole_window(
    server, endpoint, uwsgi, workspace, pprof, tmp_path
):
    path, file = workspace / "defaults.sock", tmp_path / "curl.pb.gz"
    local = uwsgi(cloudprofiler_http=path, **LOCAL_OFF)
    Endpoint(local, token=None)

    def fetch(kind):
        return pool.submit(pprof.run, "-top", f"{relay.url}/debug/pprof/{kind}")

    def fetch_by_tcp(kind):
        return pool.submit(pprof.run, "-top", endpoint.with_token(f"/debug/pprof/{kind}"))

    def download():
        url = "http://localhost/debug/pprof/profile"
        curl = ["curl", "-sS", "--fail", "--unix-socket", str(path), "-o", str(file), url]
        subprocess.run(curl, check=True, timeout=60)
        return pprof.run("-top", file)

    with Relay(str(path)) as relay, ThreadPoolExecutor() as pool:
        tops = [fetch("profile"), fetch("wall"), fetch_by_tcp("profile"), fetch_by_tcp("wall")]
        tops.append(pool.submit(download))
        tops = [top.result() for top in tops]

    for top, kind in zip(tops, ["cpu", "wall", "cpu", "wall", "cpu"], strict=True):
        assert f"Type: {kind}" in top
        assert 30 <= float(re.search(r"Duration: ([0-9.]+)s", top).group(1)) < 31


@pytest.mark.parametrize("form", ["pprof", "collapsed", "speedscope", "top"])
def test_every_format_says_the_same_function(server, endpoint, form):
    (worker, pid), (_, other_pid) = sorted(server.workers().items())
    with server.load("/own?ms=10", threads=4, rest_s=0.05):
        answer = endpoint.ask(f"/debug/pprof/profile?seconds=1&format={form}&worker={worker}")
    text = gzip.decompress(answer.body).decode(errors="replace") if form == "pprof" else answer.text

    assert answer.status == 200, answer.text
    assert f"own_function_of_{pid}" in text
    assert f"own_function_of_{other_pid}" not in text


def test_only_samples_with_the_tags_pass(server, endpoint):
    with server.some_work("/own?ms=10", threads=4):
        nothing = endpoint.ask("/debug/pprof/wall?seconds=1&format=collapsed&tag.colour=red")
        runs = endpoint.ask("/debug/pprof/wall?seconds=1&format=collapsed&state=oncpu")
        asleep = endpoint.ask("/debug/pprof/wall?seconds=1&format=collapsed&state=sleep")

    assert nothing.status == 200 and nothing.text == ""
    assert "own_function" not in asleep.text
    assert runs.status == 200


@pytest.mark.parametrize(("query", "offers"), REFUSED)
def test_a_bad_parameter_is_refused_with_what_would_do(endpoint, query, offers):
    answer = endpoint.ask(f"/debug/pprof/profile?{query}")

    assert answer.status == 400
    assert offers in answer.text


def test_a_kind_that_is_switched_off_is_not_taken(uwsgi):
    server = uwsgi(
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_http_token=TOKEN,
        cloudprofiler_disable_wall_profiling="true",
    )

    answer = Endpoint(server).ask("/debug/pprof/wall?seconds=1")

    assert answer.status == 409
    assert "cloudprofiler-disable-wall-profiling" in answer.text


def test_nothing_is_sampled_while_profiling_is_off(endpoint):
    off = endpoint.ask("/actions/off", "POST")
    refused = endpoint.ask("/debug/pprof/profile?seconds=1")
    on = endpoint.ask("/actions/on", "POST")

    assert off.status < 300 and on.status < 300
    assert refused.status == 409 and "off" in refused.text
    assert endpoint.ask("/debug/pprof/profile?seconds=1").status == 200


@pytest.mark.parametrize(
    ("verb", "value", "setting", "expected"),
    [
        ("kinds", "wall", "kinds", ["wall"]),
        ("period", "20", "period_ms", 20),
        ("interval", "120", "output_interval_s", 120),
    ],
)
def test_a_setting_is_changed_by_post_and_set_back(endpoint, verb, value, setting, expected):
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    before = endpoint.status()["settings"]

    changed = endpoint.ask(f"/actions/{verb}", "POST", f"value={value}", **form)
    after = endpoint.status()["settings"]
    back = endpoint.ask(f"/actions/{verb}", "POST", "value=default", **form)

    assert changed.status == 200 and back.status == 200
    assert after == {**before, setting: expected}
    assert endpoint.status()["settings"] == before
    assert endpoint.ask(f"/actions/{verb}", "POST", "value=-1", **form).status == 400


def test_a_command_that_is_none_is_quoted_as_it_came(endpoint):
    answer = endpoint.ask("/actions/nonsense", "POST")

    assert answer.status == 400
    assert answer.text.startswith('"nonsense" is no command; accepted: ')


def test_uploads_that_were_not_configured_cannot_be_switched_on(endpoint):
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    on = endpoint.ask("/actions/upload", "POST", "value=on", **form)

    assert on.status == 409 and "not configured" in on.text
    assert endpoint.ask("/actions/upload", "POST", "value=off", **form).status == 200
    assert not endpoint.status()["settings"]["upload"]


def test_uploads_are_switched_off_and_on(uwsgi, standin, tmp_path):
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    standin.pace = BackToBack(["CPU"], "1s")
    endpoint = Endpoint(
        uwsgi(
            **upload_options(standin, tmp_path, **LOCAL_OFF),
            cloudprofiler_http="127.0.0.1:0",
            cloudprofiler_http_token=TOKEN,
        )
    )
    standin.wait_for_uploads(1)

    off = endpoint.ask("/actions/upload", "POST", "value=off", **form)
    without = endpoint.status()
    seen = len(standin.uploads)
    on = endpoint.ask("/actions/upload", "POST", "value=on", **form)

    assert off.status == 200 and on.status == 200
    assert without["uploads"] is None and not without["settings"]["upload"]
    standin.wait_for_uploads(seen + 1)
    assert endpoint.status()["settings"]["upload"]


def test_who_asks_at_the_same_time_shares_one_window(endpoint):
    def ask():
        answers.append(endpoint.ask("/debug/pprof/profile?seconds=6&period_ms=20"))

    answers = []
    first = endpoint.status()["windows_ended"]["finished"]
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) < len(answers) / 2
    assert endpoint.status()["windows_ended"]["finished"] - first < len(answers) / 2


def test_a_fifth_window_is_refused_and_clients_that_go_give_theirs_back(endpoint):
    with contextlib.ExitStack() as ends:
        for seconds in (600, 599, 598, 597):
            ends.callback(endpoint.begin(f"/debug/pprof/profile?seconds={seconds}").close)
        endpoint.wait_for_windows(4)
        refused = endpoint.ask("/debug/pprof/profile?seconds=596")

    endpoint.wait_for_windows(0)
    assert refused.status == 429
    assert endpoint.ask("/debug/pprof/profile?seconds=1").status == 200


# What else there is


def test_status_names_workers_and_windows(server, endpoint):
    def is_every_slot_taken():
        return all(one["pid"] for one in endpoint.status()["slots"])

    wait_for(is_every_slot_taken, "a worker in each slot")
    waiting = endpoint.begin("/debug/pprof/wall?seconds=2")
    (window,) = endpoint.wait_for_windows(1)
    status = endpoint.status()
    waiting.getresponse().read()
    waiting.close()

    assert window["kinds"] == ["wall"] and window["duration_s"] == 2
    assert {one["name"]: one["pid"] for one in status["slots"]} == {
        f"worker {number}": pid for number, pid in server.workers().items()
    }
    assert status["settings"]["on"] and status["gateway"]["pid"] == server.gateway()
    assert any(one["samples"] + one["looks"] for one in endpoint.status()["slots"])
    for slot in status["slots"]:
        assert {"tag_overflows", "log_full", "threads_left_out"} <= slot["counters"].keys()
        assert not any(slot["counters"].values())


def test_the_share_of_cpu_is_right_where_windows_overlap(server, endpoint):
    def is_under_way():
        return [one for one in endpoint.status()["windows"] if one["elapsed_s"] > 2]

    with server.some_work("/own?ms=10", threads=4):
        waiting = endpoint.begin("/debug/pprof/wall?seconds=4")
        wait_for(is_under_way, "the middle of a window")
        assert endpoint.ask("/debug/pprof/stacks").status == 200
        shares = [one["cpu_share"] for one in endpoint.status()["slots"]]
        waiting.close()

    # A worker of one thread cannot use more than a core; the clocks are not read all at once.
    assert all(0 <= share < 1.5 for share in shares), shares


def test_metrics_are_what_prometheus_reads(endpoint):
    started = time.monotonic()
    answer = endpoint.ask("/metrics", **PROMETHEUS)
    assert time.monotonic() - started < int(PROMETHEUS["X_Prometheus_Scrape_Timeout_Seconds"])
    sample = re.compile(r'cloudprofiler_[a-z_]+(\{([a-z_]+="[^"\n]*",?)*\})? -?[0-9.]+')
    lines = answer.text.splitlines()

    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert answer.text.endswith("\n")
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines), lines
    assert any(line.startswith('cloudprofiler_slot_samples{slot="worker 1"}') for line in lines)


def test_recent_profiles_are_kept(server, endpoint):
    for _ in range(2):
        with server.some_work("/own?ms=10"):
            assert endpoint.ask("/debug/pprof/profile?seconds=1").status == 200
    after, before = endpoint.ask("/profiles/").json()["recent"][:2]

    kept = endpoint.ask(f"/profiles/{after['id']}?format=collapsed")

    assert after["kind"] == "cpu" and after["source"] == "demand" and after["id"] > before["id"]
    assert "own_function_of_" in kept.text
    earlier = endpoint.ask(f"/profiles/?before_ms={after['start_ms']}").json()["recent"]
    assert [one["id"] for one in earlier][:1] == [before["id"]]
    assert endpoint.ask("/profiles/999999").status == 404


def test_files_of_the_directory_are_served_and_nothing_else_in_it(uwsgi, tmp_path):
    server = uwsgi(cloudprofiler_http="127.0.0.1:0", cloudprofiler_http_token=TOKEN)
    own = server.wait_for_first_profile()
    endpoint = Endpoint(server)
    secret = tmp_path / "secret"
    secret.write_text("a secret")
    (server.profiles / "secret.pb.gz").write_text("a secret")
    stamp = re.search(r"\d{8}T\d{6}\.\d{3}Z", own.name).group()
    link = own.name.replace(stamp, "20200101T000000.000Z")
    (server.profiles / link).symlink_to(secret)

    files = endpoint.ask("/profiles/").json()["files"]
    listed = [one["name"] for one in files]

    assert own.name in listed
    (start_ms,) = [one["start_ms"] for one in files if one["name"] == own.name]
    earlier = endpoint.ask(f"/profiles/?before_ms={start_ms}").json()["files"]
    assert all(one["start_ms"] < start_ms for one in earlier)
    assert endpoint.ask(f"/profiles/?before_ms={start_ms + 1}").json()["files"][0] in files
    assert "secret.pb.gz" not in listed and link not in listed
    assert endpoint.ask(f"/profiles/{own.name}").body == own.read_bytes()
    assert endpoint.ask(f"/profiles/{link}").status == 404
    assert endpoint.ask("/profiles/secret.pb.gz").status == 404


# Who may ask


@pytest.mark.parametrize("path", SECRET_PATHS)
def test_without_the_token_nothing_is_told(endpoint, path):
    sign = "&" if "?" in path else "?"
    asked = [
        endpoint.ask(path, token=False),
        endpoint.ask(f"{path}{sign}token={TOKEN[:-1]}", token=False),
        endpoint.ask(f"{path}{sign}token=", token=False),
        endpoint.ask(path, Authorization=f"Bearer {TOKEN}x"),
        endpoint.ask(path, Authorization=f"Basic {TOKEN}"),
    ]

    assert [answer.status for answer in asked] == [401] * len(asked)


def test_the_token_may_stand_in_the_query(endpoint):
    assert endpoint.ask(f"/status?token={TOKEN}", token=False).status == 200


def test_a_token_that_is_made_is_in_the_log_and_in_a_file_for_the_owner(uwsgi):
    server = uwsgi(cloudprofiler_http="127.0.0.1:0")
    endpoint = Endpoint(server)
    endpoint.token = token_in(endpoint.query)
    (file,) = server.profiles.glob("cloudprofiler-http-token-uwsgi-*")

    assert endpoint.ask("/status").status == 200
    assert file.read_text().strip() == endpoint.token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    server.errors_allowed = True
    os.kill(server.gateway(), signal.SIGKILL)
    later = Endpoint(server, times=2)
    assert token_in(later.query) == endpoint.token


def test_a_token_of_an_option_is_not_logged(server, endpoint):
    assert endpoint.ask("/status").status == 200
    assert TOKEN not in server.log


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "[::1", "", "a b"],
)
def test_a_host_that_is_a_name_is_refused(endpoint, host):
    assert endpoint.ask("/status", Host=host).status in (400, 421)


def test_pages_of_other_sites_are_refused(endpoint):
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{endpoint.port}"):
        assert endpoint.ask("/actions/off", "POST", Origin=origin).status == 403
        assert endpoint.ask("/status", Origin=origin).status == 403
    own = endpoint.url
    assert endpoint.ask("/status", Origin=own).status == 200


def test_nothing_is_changed_by_get(endpoint):
    assert endpoint.ask("/actions/off").status == 405
    assert endpoint.ask("/actions/off", "HEAD").status == 405
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FROBNICATE"):
        assert endpoint.ask("/status", method).status == 405
    assert endpoint.ask("/actions/off", "POST", token=False).status == 401
    assert endpoint.ask("/actions/no-such-verb", "POST").status in (400, 404)


@pytest.mark.parametrize("path", TRICKS)
def test_no_path_leads_elsewhere(endpoint, path):
    answer = endpoint.ask(path)

    assert answer.status in (400, 404)
    assert "root:" not in answer.text


def test_answers_carry_the_headers_that_browsers_obey(endpoint):
    for path in ("/", "/status", "/debug/pprof/", "/nothing"):
        headers = endpoint.ask(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in headers


def test_control_characters_of_a_request_come_back_harmless(endpoint):
    answer = endpoint.ask("/debug/pprof/profile?%1b%5b31m%0d%0aX-Injected:1=1&seconds=1")

    assert answer.status == 400
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", answer.text)
    assert "X-Injected" not in answer.headers


# Unix socket


def test_a_unix_socket_is_the_owners_and_outlives_a_kill_and_a_reload(uwsgi, workspace):
    path = workspace / "endpoint.sock"
    server = uwsgi(cloudprofiler_http=path)
    endpoint = Endpoint(server, token=None)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert endpoint.ask("/status").status == 200

    os.kill(server.gateway(), signal.SIGKILL)
    assert Endpoint(server, token=None, times=2).ask("/status").status == 200
    old = server.workers()
    server.reload_by_signal()
    server.wait_for_new_workers(old)
    again = Endpoint(server, token=None, times=3).ask("/status").json()
    assert again["gateway"]["pid"] == server.gateway()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:80", "[::]:0"])
def test_other_addresses_need_a_word_more(make_uwsgi, address):
    server = make_uwsgi(cloudprofiler_http=address).launch()

    assert server.wait_for_exit() == 1
    assert "cloudprofiler-http-allow-remote" in server.log


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("cloudprofiler_http", "localhost:80"),
        ("cloudprofiler_http", "127.0.0.1"),
        ("cloudprofiler_http", "relative.sock"),
        ("cloudprofiler_http", "/" + "x" * 108),
        ("cloudprofiler_http_token", "short"),
        ("cloudprofiler_http_token", "sixteen letters & more"),
        ("cloudprofiler_http_token_file", "relative"),
    ],
)
def test_a_bad_option_of_the_endpoint_is_refused(make_uwsgi, option, value):
    server = make_uwsgi(**{option: value}).launch()

    assert server.wait_for_exit() == 1
    assert option.replace("_", "-") in server.log
    # What is nearly a token may be one, mistyped.
    assert option != "cloudprofiler_http_token" or f'"{value}"' not in server.log


# Attacks


def is_closed_by_the_other_end(connection):
    readable, _, _ = select.select([connection], [], [], 0)
    if not readable:
        return False
    try:
        return connection.recv(4096) == b""
    except ConnectionError:
        return True


def send_raw(endpoint, data):
    """The status of the answer to some bytes, or None: the connection was closed without one."""
    with endpoint.connect() as connection, contextlib.suppress(ConnectionError):
        connection.sendall(data)
        answer = connection.recv(4096)
        return int(answer.split()[1]) if answer else None
    return None


def test_a_body_or_a_head_that_is_too_long_is_refused(endpoint):
    assert endpoint.ask("/actions/off", "POST", body=b"x" * 5000).status == 413
    assert send_raw(
        endpoint, b"GET /status HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000
    ) in (
        None,
        400,
        413,
        431,
    )
    assert send_raw(endpoint, b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n") in (None, 400, 414)
    assert endpoint.ask("/status").status == 200


def test_nonsense_is_refused(endpoint):
    for data in (
        b"\x16\x03\x01\x02\x00" * 50 + b"\r\n\r\n",
        b"\r\n" * 500 + b"GET\r\n\r\n",
        b"\0" * 40,
    ):
        with endpoint.connect() as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            wait_for(lambda c=connection: is_closed_by_the_other_end(c), "the end of nonsense")
    assert endpoint.ask("/status").status == 200


def test_who_dribbles_a_request_keeps_nobody_out_and_is_ended(server, endpoint):
    with contextlib.ExitStack() as ends:
        slow = [ends.enter_context(endpoint.connect()) for _ in range(60)]
        for connection in slow:
            with contextlib.suppress(OSError):  # those beyond the crowd are ended already
                connection.sendall(b"GET /status HTTP/1.1\r\nHost: local")

        assert endpoint.ask("/status").status == 200

        def dribble():
            open_ones = [one for one in slow if not is_closed_by_the_other_end(one)]
            for connection in open_ones:
                with contextlib.suppress(OSError):
                    connection.sendall(b"h")
            return not open_ones

        wait_for(dribble, "the end of the dribblers")
    assert server.get("/pid")


def test_ten_thousand_connections_leave_it_small_and_alive(server, endpoint):
    refused = 0
    with server.load("/pid", threads=1) as load:
        for _ in range(100):
            with contextlib.ExitStack() as ends:
                for _ in range(100):
                    connection = ends.enter_context(
                        socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                    )
                    refused += connection.connect_ex((endpoint.host, endpoint.port)) not in (0, 115)
        answer = wait_for(lambda: endpoint.ask("/status"), "an answer")

    assert answer.status == 200
    assert not load.failures
    assert processes.private_dirty_kib(server.gateway()) <= 8 * 1024
    assert processes.is_alive(server.gateway())


def test_a_client_that_does_not_read_holds_nobody_up(endpoint):
    with endpoint.connect() as stuck:
        head = f"GET /metrics?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        stuck.sendall(head.encode())
        assert endpoint.ask("/status").status == 200
