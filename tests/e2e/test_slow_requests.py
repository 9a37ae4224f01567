"""A request that takes longer than cloudprofiler-slow-request gets a profile of its own.

SPDX-License-Identifier: MIT
"""

import contextlib
import json
import os
import re
import signal
import time

import pytest
from testenv import bounds
from testenv.load import get, held
from testenv.uwsgi import NO_MASTER
from testenv.wait import wait_for

SLOW_SECONDS = 1
SECONDS = 60
# Windows that nobody asks for would do no harm, and would only cost time.
QUIET = {"cloudprofiler_output_interval": 600}
NO_OUTPUT = (
    "cloudprofiler_output_dir",
    "cloudprofiler_output_interval",
    "cloudprofiler_output_duration",
)


def slow_files(server):
    return sorted(server.profiles.glob("slow-*-worker*.pb.gz"))


def wait_for_slow(server, count=1):
    def found():
        files = slow_files(server)
        return files if len(files) >= count else None

    return wait_for(found, f"{count} profiles of slow requests", SECONDS)


@pytest.fixture
def server(uwsgi):
    return uwsgi(app="stuck", processes=1, cloudprofiler_slow_request=SLOW_SECONDS, **QUIET)


def test_a_slow_request_is_one_profile_with_its_method_uri_and_duration(server, profile_reader):
    server.get("/nap/3.5?token=secret")

    profile = profile_reader.read(wait_for_slow(server)[0])

    print(profile.comments, profile.samples)
    assert profile.kind == "wall"
    assert profile.share("nap") >= bounds.nearly_all(profile.total_count)
    assert profile.label_values("uri") == {"/nap/3.5"}
    assert profile.label_values("method") == {"GET"}
    assert profile.label_values("worker") == {"1"}
    (duration,) = profile.label_values("duration")
    assert 3.5 <= float(duration.removesuffix(" s")) < 5
    # From its second second on, until its end.
    assert 1.5e9 < profile.total_ns < 3.2e9
    line = server.wait_for_log(r"slow request: worker 1, GET /nap/3\.5, .*$")[0]
    assert re.search(
        r"; \d+ % in sleep: (.*\[system call\] < )?nap \(.*stuck\.py:\d+\) < application \(", line
    ), line
    assert "secret" not in server.log.split("spawned uWSGI worker")[1]


def test_quick_requests_leave_nothing_and_slow_ones_hold_nothing_of_others(uwsgi, profile_reader):
    server = uwsgi(
        app="stuck", processes=1, threads=2, cloudprofiler_slow_request=SLOW_SECONDS, **QUIET
    )

    with server.load("/hold/0.02", threads=1) as load:
        server.get("/nap/3.5")
        load.wait_for_requests(5)

    profile = profile_reader.read(wait_for_slow(server)[0])
    assert profile.share("nap") >= bounds.nearly_all(profile.total_count)
    assert "spin_holding_lock" not in profile.functions()
    assert len(slow_files(server)) == 1


def test_slow_requests_of_two_threads_are_two_profiles(uwsgi, profile_reader):
    server = uwsgi(
        app="stuck", processes=1, threads=2, cloudprofiler_slow_request=SLOW_SECONDS, **QUIET
    )

    with server.load("/hold/3", threads=1, count=1) as load:
        server.get("/nap/3.5")
        load.join()

    profiles = [profile_reader.read(path) for path in wait_for_slow(server, 2)]
    assert sorted(p.label_values("uri").pop() for p in profiles) == ["/hold/3", "/nap/3.5"]
    for profile in profiles:
        inner = {"/nap/3.5": "nap", "/hold/3": "spin_holding_lock"}
        share = profile.share(inner[profile.label_values("uri").pop()])
        assert share >= bounds.nearly_all(profile.total_count)


def test_without_a_master_it_says_that_nothing_is_followed(uwsgi):
    server = uwsgi(app="stuck", cloudprofiler_slow_request=SLOW_SECONDS, **NO_MASTER, **QUIET)

    server.wait_for_log("slow-request needs uWSGI's master: slow requests are not followed")


def test_the_option_alone_is_enough_and_the_log_tells(uwsgi):
    server = uwsgi(
        app="stuck",
        processes=1,
        cloudprofiler_slow_request=SLOW_SECONDS,
        **dict.fromkeys(NO_OUTPUT),
    )
    assert "a sample each 10 ms; of requests beyond 1 s\n" in server.log

    server.get("/nap/3")

    server.wait_for_log(r"slow request: worker 1, GET /nap/3, .* in sleep: ")


# Requests that are slow by nature.

LIVE = 20  # of each sort: more than can be followed
PLACES = 16
SOCKETS = [
    (
        f"/socket/{number}",
        [
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ],
    )
    for number in range(LIVE)
]
STREAMS = [(f"/events/{number}", ["Accept: text/event-stream"]) for number in range(LIVE)]
POLLS = [(f"/poll/{number}", []) for number in range(LIVE)]


def live_server(uwsgi, **options):
    server = uwsgi(
        app="live",
        processes=1,
        threads=4 * LIVE,
        cloudprofiler_slow_request=SLOW_SECONDS,
        cloudprofiler_http="%dprofiler.sock",
        **QUIET,
        **options,
    )
    wait_for((server.directory / "profiler.sock").exists, "the endpoint")
    server.wait_for_first_profile()
    return server


def ask(server, path):
    return get(server.directory / "profiler.sock", path).decode()


def metric(server, name):
    found = re.search(rf"^cloudprofiler_{name} (\d+)$", ask(server, "/metrics"), re.MULTILINE)
    return int(found[1])


@contextlib.contextmanager
def waiting(server, requests):
    """Requests that wait all at once, until the end of the block."""
    with held(server.directory / "http.sock", requests):
        wait_for(lambda: int(server.get("/waiting")) == len(requests), "all that wait", SECONDS)
        yield
        server.get("/release")


def running_seconds(server):
    (worker,) = json.loads(ask(server, "/status"))["slots"]
    return worker["running_seconds"] or 0


def slow_uris(server):
    return re.findall(r"slow request: worker 1, GET (\S+),", server.log)


def test_what_is_slow_by_nature_is_not_followed_and_a_slow_request_among_it_is(
    uwsgi, profile_reader
):
    server = live_server(uwsgi, cloudprofiler_slow_request_except=["/nothing", "/poll/"])

    with waiting(server, [*SOCKETS, *STREAMS, *POLLS]):
        windows = metric(server, "windows")
        wait_for(lambda: running_seconds(server) > 3 * SLOW_SECONDS, "slow ones", SECONDS)
        assert metric(server, "windows") == windows
        server.get("/report/3.5")
        (path,) = wait_for_slow(server)

    profile = profile_reader.read(path)
    assert profile.label_values("uri") == {"/report/3.5"}
    assert profile.share("write_report") >= bounds.nearly_all(profile.total_count)
    assert slow_uris(server) == ["/report/3.5"]
    assert metric(server, "slow_requests_cut") == 0
    assert not server.our_warnings


def test_a_slow_request_beside_more_long_polls_than_can_be_followed_is_followed_to_its_end(
    uwsgi, profile_reader
):
    server = live_server(uwsgi)

    with waiting(server, POLLS):
        left_out = LIVE - PLACES
        wait_for(lambda: metric(server, "slow_requests_cut") >= left_out, "16 of them", SECONDS)
        server.get("/report/3.5")
        (line,) = server.wait_for_log(r"slow request: worker 1, GET /report/3\.5, .*$")
        # One gave way, and was reported as far as it was known.
        assert metric(server, "slow_requests_cut") == left_out + 1
        assert len(slow_uris(server)) == 2
        server.wait_for_log(r"slow request: worker 1, GET /poll/\d+, at least \d")

    profiles = [profile_reader.read(path) for path in wait_for_slow(server, 1 + PLACES)]
    (report,) = [p for p in profiles if p.label_values("uri") == {"/report/3.5"}]
    assert report.share("write_report") >= bounds.nearly_all(report.total_count)
    assert "at least" not in line
    (warning,) = server.our_warnings
    assert "more than 16 requests are slow at once" in warning
    assert "cloudprofiler-slow-request-except" in warning


def kill_worker(server):
    wait_for(lambda: running_seconds(server) > 3 * SLOW_SECONDS, "a slow request", SECONDS)
    os.kill(server.workers()[1], signal.SIGKILL)


@pytest.mark.parametrize("end", ["harakiri", "SIGKILL"])
def test_a_request_that_ended_with_its_worker_lasted_no_longer_than_its_client_saw(uwsgi, end):
    options = {"harakiri": 3} if end == "harakiri" else {}
    server = live_server(uwsgi, **options)

    begin = time.monotonic()
    with held(server.directory / "http.sock", [("/report/60", [])]) as (connection,):
        if end == "SIGKILL":
            kill_worker(server)
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1) == b""
        seen_s = time.monotonic() - begin
        (least,) = server.wait_for_log(
            r"slow request: worker 1, GET /report/60, at least (\S+) s;", seconds=SECONDS
        )

    print(f"seen for {seen_s:.2f} s, reported as at least {least} s")
    rounding_s = 0.05
    assert SLOW_SECONDS <= float(least) <= seen_s + rounding_s
    # uWSGI strikes at the worker, or the last window has seen it.
    assert float(least) >= seen_s - (0.5 if end == "harakiri" else 2.5)
