"""A window that outlasts its logs is made in parts: it has all that was sampled, and whatever else
is asked for meanwhile comes as ever.

SPDX-License-Identifier: MIT
"""

import os
import re
import signal
import statistics
import time

import pytest
from standin import hang
from testenv import bounds, known, processes
from testenv.cloud import LOCAL_OFF, upload_options
from testenv.endpoint import Endpoint
from testenv.load import asked
from testenv.profiles import profile_files, wall_file_of
from testenv.wait import wait_for

WINDOW_S = 30
SECONDS = 60
# Half of it is some seconds of stacks that are all new: the gateway may be late for as long.
LOG_BYTES = 512 << 10
SMALL_LOG = {
    "cloudprofiler_log_size": str(LOG_BYTES),
    "cloudprofiler_period_ms": 5,
    "cloudprofiler_verbose": 3,
}
CUT = r"a log is half full"
PARTS = re.compile(r"(\d+), as logs were half full; ([\d.]+) s between them")
CUTS = 3  # to be lived through
PARTS_MIN = 5  # of the window whose figures are compared
LOOK_S = 0.1  # between a thread's begin or end and the ticker's look at it
STACKS_S = 1  # an answer that comes later is of no use to somebody who looks at a server that hangs
PROFILE_S = 2
NAP_S = 3.5
HARAKIRI_S = 8


def cuts(server):
    return len(re.findall(CUT, server.log))


def cpu_ns(server):
    return processes.cpu_ns_without_ticker(server.workers()[1])


def test_a_window_that_outlasts_its_logs_has_all_that_was_sampled(uwsgi, profile_reader):
    server = uwsgi(
        app="ever_new",
        processes=1,
        threads=2,
        cloudprofiler_output_interval=600,
        cloudprofiler_output_duration=WINDOW_S,
        **SMALL_LOG,
    )
    server.wait_for_window()
    before_ns = cpu_ns(server)
    server.get("/work")
    with asked(server, [f"/nap/{NAP_S}"]):
        server.wait_for_log(CUT, times=PARTS_MIN - 1, seconds=WINDOW_S)
    in_left, in_right = (float(seconds) for seconds in server.get("/stop").split())
    used_ns = cpu_ns(server) - before_ns
    assert not profile_files(server.profiles), "outran the window"

    path = wait_for(lambda: profile_files(server.profiles), "the profile", SECONDS)[0]
    cpu, wall = profile_reader.read(path), profile_reader.read(wall_file_of(path))

    parts, gap_s = PARTS.match(cpu.comment("parts")).groups()
    gap_s = float(gap_s)
    print(f"{parts} parts, {gap_s} s between them, {cpu.total_count} samples")
    print(f"profile {cpu.total_ns / 1e9:.3f} s, process {used_ns / 1e9:.3f} s")
    assert int(parts) >= PARTS_MIN
    assert cpu.message.duration_nanos / 1e9 + gap_s == pytest.approx(WINDOW_S, abs=0.002)
    for profile in (cpu, wall):
        assert "[log full]" not in profile.functions()
        assert profile.comment("log full") == profile.comment("rejected records") == "0"
    truth = in_left / (in_left + in_right)
    share = cpu.ns_of("left") / (cpu.ns_of("left") + cpu.ns_of("right"))
    print(f"left {share:.4f} of {truth:.4f}, nap {wall.ns_of('nap') / 1e9:.3f} s of {NAP_S}")
    assert abs(share - truth) <= bounds.share(truth, cpu.total_count)
    # What is missing was used, or slept, between two parts; at most one thread runs.
    error_ns = bounds.MODEL * used_ns + 1e9 * known.UNNOTICED_S
    assert -error_ns <= used_ns - cpu.total_ns <= error_ns + 1e9 * gap_s
    assert wall.by_state()["running"] == pytest.approx(cpu.total_ns, rel=0.001)
    error_s = bounds.MODEL * NAP_S + LOOK_S
    assert -error_s <= NAP_S - wall.ns_of("nap") / 1e9 <= error_s + gap_s


def test_a_killed_gateways_window_has_what_was_sampled_since_the_logs_were_given_back(
    uwsgi, profile_reader
):
    server = uwsgi(
        app="ever_new",
        processes=1,
        threads=2,
        cloudprofiler_output_interval=600,
        cloudprofiler_output_duration=WINDOW_S,
        **SMALL_LOG,
    )
    server.get("/work")
    # Of three parts, the last of which has begun.
    server.wait_for_log(r"debug: window \d+ opens for", times=3, seconds=WINDOW_S)
    os.kill(server.gateway(), signal.SIGKILL)
    server.wait_for_log(r"warning: a window's profiles lack what was sampled until \d+ s ago")
    server.wait_for_log(CUT, times=4, seconds=WINDOW_S)

    path = wait_for(lambda: profile_files(server.profiles), "the profile", SECONDS)[0]
    profile = profile_reader.read(path)

    parts, gap_s = PARTS.match(profile.comment("parts")).groups()
    sampled_s = profile.message.duration_nanos / 1e9 + float(gap_s)
    print(f"{parts} parts in {sampled_s:.3f} s")
    assert int(parts) >= 2
    assert sampled_s < WINDOW_S - 1  # a part lasts for a second at least
    assert profile.ns_of("left") > profile.ns_of("right") > 0


@pytest.fixture
def server(uwsgi):
    """One whose window stays open, while its log becomes half full again and again."""
    server = uwsgi(
        app="ever_new",
        processes=1,
        threads=2,
        harakiri=HARAKIRI_S,
        cloudprofiler_output_interval=600,
        cloudprofiler_output_duration=600,
        cloudprofiler_slow_request=1,
        cloudprofiler_http="%dprofiler.sock",
        **SMALL_LOG,
    )
    server.get("/work")
    server.wait_for_log(CUT, seconds=SECONDS)
    return server


def test_stacks_come_at_once_while_a_long_window_is_open(server):
    endpoint = Endpoint(server)
    until = cuts(server) + CUTS
    took_s = []

    while cuts(server) < until:
        began = time.monotonic()
        answer = endpoint.ask("/debug/pprof/stacks")
        took_s.append(time.monotonic() - began)
        assert answer.status == 200, answer.text
        assert "ever_new.py" in answer.text, answer.text

    print(f"{len(took_s)} looks: {statistics.median(took_s):.3f} s, at most {max(took_s):.3f} s")
    assert statistics.median(took_s) < STACKS_S


def test_a_profile_by_http_comes_while_a_long_window_is_open(server):
    endpoint = Endpoint(server)
    until = cuts(server) + CUTS

    while cuts(server) < until:
        began = time.monotonic()
        answer = endpoint.ask(f"/debug/pprof/profile?seconds={PROFILE_S}")
        took_s = time.monotonic() - began
        print(f"{took_s:.3f} s, {len(answer.body)} bytes")
        assert answer.status == 200, answer.text
        assert took_s >= PROFILE_S


def test_a_slow_request_is_reported_while_a_long_window_is_open(server, profile_reader):
    until = cuts(server) + CUTS

    while cuts(server) < until:
        server.get(f"/nap/{NAP_S}")

    files = wait_for(lambda: sorted(server.profiles.glob("slow-*-worker1.pb.gz")), "a slow request")
    profile = profile_reader.read(files[0])
    assert profile.label_values("uri") == {f"/nap/{NAP_S}"}
    assert profile.share("nap") >= bounds.nearly_all(profile.total_count)


def test_what_a_worker_hung_in_is_known_while_a_long_window_is_open(server):
    with asked(server, ["/nap/600"]):
        server.wait_for_log(r"HARAKIRI ON WORKER 1", seconds=SECONDS)
        (line,) = server.wait_for_log(r"harakiri: what worker 1 .*$", seconds=SECONDS)

    assert line.endswith("did before uWSGI ended it:")
    files = wait_for(lambda: sorted(server.profiles.glob("harakiri-*-worker1.txt")), "the stacks")
    text = files[0].read_text()
    assert re.search(r"nap \(.*ever_new\.py:\d+\)", text), text


def used_bytes(endpoint):
    """Of the worker's log."""
    (slot,) = endpoint.status()["slots"]
    return slot["log_used_bytes"]


def test_stacks_come_at_once_while_an_upload_lasts(uwsgi, standin, tmp_path):
    standin.always("update", hang())
    server = uwsgi(
        app="ever_new",
        processes=1,
        threads=2,
        cloudprofiler_http="%dprofiler.sock",
        **upload_options(standin, tmp_path, **LOCAL_OFF),
        **SMALL_LOG,
    )
    server.get("/work")
    standin.release("CPU", "0.5s")
    standin.wait_for_requests("update")
    endpoint = Endpoint(server)
    before, used = 0, used_bytes(endpoint)
    deadline = time.monotonic() + SECONDS

    # Until the logs were given back, although the window's profile is not delivered.
    while used >= before:
        began = time.monotonic()
        answer = endpoint.ask("/debug/pprof/stacks")
        print(f"{time.monotonic() - began:.3f} s, {used} bytes of the log")
        assert answer.status == 200, answer.text
        assert time.monotonic() < deadline, f"{used} bytes stay"
        before, used = used, used_bytes(endpoint)

    assert before >= LOG_BYTES / 2
    assert not standin.uploads
