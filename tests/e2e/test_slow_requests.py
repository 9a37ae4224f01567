"""A request that takes longer than cloudprofiler-slow-request gets a profile of its own.

SPDX-License-Identifier: MIT
"""

import re

import pytest
from testenv import bounds
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
