"""The gateway's loop waits for nothing: not for a disk, not for a name server, not for work that
takes long. test_log_pipe.py has a log that nobody reads, tests/gateway/test_full_logs.py full logs.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import signal
import threading
from pathlib import Path

import pytest
from testenv.build import GATEWAY, build_library
from testenv.cloud import upload_options
from testenv.endpoint import TOKEN, Endpoint
from testenv.gateway import wrap_gateway
from testenv.load import get
from testenv.loop import TURN_MS, longest_turn_ms
from testenv.profiles import KINDS, profile_files
from testenv.wait import wait_for

SECONDS = 60
DISK_MS = 2000
HARAKIRI_SECONDS = 4
MANY_WORKERS = 256

HTTP = {"cloudprofiler_http": "127.0.0.1:0", "cloudprofiler_http_token": TOKEN}
BACK_TO_BACK = {"cloudprofiler_output_interval": 2, "cloudprofiler_output_duration": 2}


@pytest.fixture
def slow_gateway(workspace, plugin_dir, request):
    """A gateway program for which some calls are slow."""

    def make(*lines, **calls):
        directory = workspace / f"slow-{request.node.name}"
        directory.mkdir()
        library = build_library(Path(__file__).with_name("slow_calls.c"), directory / "slow.so")
        program = plugin_dir / GATEWAY
        return wrap_gateway(directory, *lines, program=program, LD_PRELOAD=library, **calls)

    return make


def waiting(endpoint):
    return endpoint.status()["files"]["waiting"]


def written(endpoint):
    return endpoint.status()["files"]["written"]


def ask_for_ever(server):
    with contextlib.suppress(OSError):
        get(server.directory / "http.sock", "/sleep")


def test_a_slow_disk_holds_up_nobody_and_costs_no_profile(uwsgi, slow_gateway):
    server = uwsgi(
        app="stuck",
        processes=1,
        harakiri=HARAKIRI_SECONDS,
        cloudprofiler_gateway_binary=slow_gateway(SLOW_DISK_MS=DISK_MS),
        cloudprofiler_output_interval=4,
        cloudprofiler_output_duration=1,
        **HTTP,
    )
    endpoint = Endpoint(server)
    wait_for(lambda: waiting(endpoint) > 0, "profiles that wait for the disk", SECONDS)

    asking = threading.Thread(target=ask_for_ever, args=(server,))
    asking.start()
    text = server.wait_for_log(r"harakiri: what worker 1 \(pid \d+\) did .*", seconds=SECONDS)[0]
    asking.join()
    wait_for(lambda: written(endpoint) >= 4, "profiles on the disk", SECONDS)

    assert text.endswith("before uWSGI ended it:")
    assert all(profile_files(server.profiles, kind) for kind in KINDS)
    assert endpoint.status()["files"]["failed"] == 0
    assert longest_turn_ms(endpoint) < TURN_MS


def test_a_window_that_waits_for_a_disk_that_hangs_outlives_a_kill(uwsgi, slow_gateway):
    hangs_once = f'mkdir "$0.once" && export SLOW_DISK_MS={1000 * SECONDS}'
    server = uwsgi(
        cloudprofiler_gateway_binary=slow_gateway(hangs_once),
        cloudprofiler_output_interval=600,
        cloudprofiler_output_duration=1,
        **HTTP,
    )
    endpoint = Endpoint(server)
    wait_for(lambda: waiting(endpoint) == len(KINDS), "profiles that wait for the disk", SECONDS)
    starts = [profile["start_ms"] for profile in endpoint.ask("/profiles/").json()["recent"]]
    assert not any(profile_files(server.profiles, kind) for kind in KINDS)

    os.kill(server.gateway(), signal.SIGKILL)
    endpoint = Endpoint(server, times=2)
    wait_for(lambda: written(endpoint) == len(KINDS), "the same profiles", SECONDS)

    files = endpoint.ask("/profiles/").json()["files"]
    assert [file["start_ms"] for file in files] == starts


def test_who_asks_for_files_of_a_disk_that_hangs_is_answered_without_them(uwsgi, slow_gateway):
    server = uwsgi(
        cloudprofiler_gateway_binary=slow_gateway(SLOW_DISK_MS=1000 * SECONDS),
        **BACK_TO_BACK,
        **HTTP,
    )
    endpoint = Endpoint(server)
    wait_for(lambda: waiting(endpoint) > 0, "profiles that wait for the disk", SECONDS)

    listed = endpoint.ask("/profiles/").json()

    assert listed["recent"] and listed["files"] == []
    assert listed["files_trouble"] == "the disk of output-dir does not answer in time"
    name = "cpu-20261122T152345.123Z-shop-web1-3f9c01ab.pb.gz"
    assert endpoint.ask(f"/profiles/{name}").status == 503
    assert endpoint.ask("/metrics").status == 200
    assert longest_turn_ms(endpoint) < TURN_MS


def test_a_gateway_that_is_ended_does_not_wait_for_ever_for_its_disk(uwsgi, slow_gateway):
    server = uwsgi(
        cloudprofiler_gateway_binary=slow_gateway(SLOW_DISK_MS=1000 * SECONDS),
        **BACK_TO_BACK,
        **HTTP,
    )
    endpoint = Endpoint(server)
    wait_for(lambda: waiting(endpoint) > 0, "profiles that wait for the disk", SECONDS)

    os.kill(server.gateway(), signal.SIGTERM)

    server.wait_for_log("warning: the disk does not answer: what waited for it is not written")


def test_a_slow_name_server_holds_up_nobody(make_uwsgi, slow_gateway, standin, tmp_path):
    options = upload_options(standin, tmp_path)
    options["cloudprofiler_api_endpoint"] = "https://slow.test"
    server = make_uwsgi(
        cloudprofiler_gateway_binary=slow_gateway(SLOW_NAMES_MS=15000),
        **options,
        **BACK_TO_BACK,
        **HTTP,
    ).start()
    endpoint = Endpoint(server)

    server.wait_for_log("the API's name does not resolve", seconds=SECONDS)

    assert longest_turn_ms(endpoint) < TURN_MS


def test_many_workers_hold_up_nobody(uwsgi):
    server = uwsgi(processes=MANY_WORKERS, **BACK_TO_BACK, **HTTP)
    endpoint = Endpoint(server)

    server.pass_windows(3)
    status = endpoint.status()

    assert "worker 256" in endpoint.ask("/debug/pprof/stacks").text
    assert len(status["slots"]) == MANY_WORKERS
    assert 0 < status["gateway"]["loop_longest_minute_ms"] < TURN_MS
    assert longest_turn_ms(endpoint) < TURN_MS
