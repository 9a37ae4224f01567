"""Several servers with one output-dir.

SPDX-License-Identifier: MIT
"""

import os
import re
import signal

import pytest
from testenv.endpoint import Endpoint, token_in
from testenv.profiles import profile_files
from testenv.uwsgi import QUICK
from testenv.wait import wait_for

SECONDS = 60
NAME = re.compile(r"(?P<sort>[a-z]+)-\d{8}T\d{6}\.\d{3}Z-(?P<owner>.*?)(-worker\d+)?\.(pb\.gz|txt)")
QUIET = {"cloudprofiler_output_interval": 600}
FUTURE = "29990101T000000.000Z"


def files_of(directory, sort):
    """The owner of each file of a sort, by the file's name."""
    found = (NAME.fullmatch(path.name) for path in directory.iterdir())
    return {match[0]: match["owner"] for match in found if match and match["sort"] == sort}


def owners(directory, sort="cpu"):
    return set(files_of(directory, sort).values())


@pytest.fixture
def two_of_one_template(make_uwsgi):
    """Two servers, not started, whose options differ by their sockets alone."""

    def make(**options):
        first = make_uwsgi(cloudprofiler_service="shop", **options)
        second = make_uwsgi(
            cloudprofiler_service="shop", cloudprofiler_output_dir=first.profiles, **options
        )
        return first, second

    return make


def test_a_server_removes_no_slow_request_of_another(two_of_one_template):
    servers = two_of_one_template(
        app="stuck",
        processes=1,
        cloudprofiler_slow_request=1,
        cloudprofiler_output_keep=1,
        **QUIET,
    )
    directory = servers[0].profiles
    for server in servers:
        server.start()

    def wait_for_another(before):
        def is_another():
            return set(files_of(directory, "slow").items()) - set(before.items())

        wait_for(is_another, "another slow request", SECONDS)
        return files_of(directory, "slow")

    def as_many_as(before):
        left = files_of(directory, "slow")
        return left if len(left) <= len(before) else None

    servers[0].get("/nap/2.5")
    first = wait_for_another({})
    servers[1].get("/nap/2.5")
    both = wait_for_another(first)
    servers[1].get("/nap/2.5")
    wait_for_another(both)
    # A server removes its oldest file after it has written a new one.
    later = wait_for(lambda: as_many_as(both), "the end of a file", SECONDS)

    assert len(first) == 1 and len(both) == 2
    assert first.items() <= both.items() and first.items() <= later.items()
    assert all(owner.startswith("shop-") for owner in later.values())


def test_servers_that_are_started_in_the_same_way_have_names_of_their_own(make_uwsgi):
    first = make_uwsgi(cloudprofiler_output_keep=2, **QUICK)
    second = make_uwsgi()
    directory = first.profiles
    first.start()
    (owner,) = wait_for(lambda: owners(directory), "a profile", SECONDS)
    second.write_ini = first.write_ini
    second.launch()
    seen = set()

    def enough_seen():
        seen.update(files_of(directory, "cpu").items())
        return min(sum(1 for _, of in seen if of == each) for each in (owner, f"{owner}-2")) > 4

    wait_for(enough_seen, "profiles of both", SECONDS)

    def two_of_each():
        left = list(files_of(directory, "cpu").values())
        return sorted(left) == [owner, owner, f"{owner}-2", f"{owner}-2"]

    wait_for(two_of_each, "two files of each", SECONDS)
    for server in (second, first):
        server.kill()


def test_a_name_stays_the_same_over_reloads_and_restarts(make_uwsgi):
    server = make_uwsgi(cloudprofiler_output_keep=1, **QUICK)
    server.start()
    (path,) = server.wait_for_profiles()[:1]
    workers = server.workers()
    server.reload_by_signal()
    server.wait_for_new_workers(workers)
    server.wait_for_profiles()
    server.stop()
    server.start()
    server.wait_for_profiles()

    wait_for(lambda: len(profile_files(server.profiles)) == 1, "one file", SECONDS)
    assert owners(server.profiles) == {NAME.fullmatch(path.name)["owner"]}


def test_endpoints_of_one_directory_have_tokens_of_their_own(two_of_one_template):
    servers = two_of_one_template(cloudprofiler_http="127.0.0.1:0", **QUIET)
    for server in servers:
        server.start()
    endpoints = [Endpoint(server) for server in servers]
    tokens = [token_in(endpoint.query) for endpoint in endpoints]
    files = list(servers[0].profiles.glob("cloudprofiler-http-token-shop-*"))

    assert tokens[0] != tokens[1]
    assert {file.read_text().strip() for file in files} == set(tokens) and len(files) == 2
    endpoints[0].token = tokens[1]
    assert endpoints[0].ask("/status").status == 401

    servers[0].errors_allowed = True
    os.kill(servers[0].gateway(), signal.SIGKILL)
    assert token_in(Endpoint(servers[0], times=2).query) == tokens[0]


def test_what_was_written_last_stays_after_a_clock_that_was_ahead(make_uwsgi):
    server = make_uwsgi(cloudprofiler_output_keep=2, **QUICK)
    server.start()
    path = server.wait_for_profiles()[-1]
    server.stop()
    owner = NAME.fullmatch(path.name)["owner"]
    for second in range(4):
        ahead = FUTURE.replace("0.000Z", f"{second}.000Z")
        (server.profiles / f"cpu-{ahead}-{owner}.pb.gz").write_bytes(b"")

    server.start()
    server.wait_for_log(r"^\[cloudprofiler\] warning: cpu-2999.* is dated after the present time")
    server.wait_for_profiles(2)

    def are_of_now():
        files = files_of(server.profiles, "cpu")
        return len(files) == 2 and not any("-2999" in name for name in files)

    wait_for(are_of_now, "two profiles of now", SECONDS)
    assert len([line for line in server.our_warnings if "dated after" in line]) == 1
