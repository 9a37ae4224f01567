"""What else uses signals, samples and dumps works beside the profiler, and the profiler beside it.

Google's agent and py-spy are those that `make bench` has installed.

SPDX-License-Identifier: MIT
"""

import json
import os
import signal
import subprocess

import pytest
from testenv import bounds, google_agent
from testenv.checks import windows_until
from testenv.uwsgi import QUICK
from testenv.wait import wait_for

PY_SPY = google_agent.PEERS / "bin" / "py-spy"

SIGNAL = signal.SIGRTMIN + 3  # as in tests/apps/neighbours.py
NAP_MS = 20
BURN_MS = 5
DUMP_MS = 50
AGENT_MS = 1500
COMMAND_SECONDS = 60


def start(uwsgi, **options):
    return uwsgi(app="neighbours", processes=1, **QUICK, **options)


def naps_are_seen(_cpu, wall):
    return "sleep" in wall.label_values("state")


def both_are_seen(cpu, wall):
    return cpu.total_count >= bounds.ENOUGH and naps_are_seen(cpu, wall)


def next_windows(is_enough, server, reader):
    """CPU and wall profile of windows that are wholly under load from now on."""
    with (
        server.load(f"/nap?ms={NAP_MS}", threads=1) as naps,
        server.load(f"/burn?ms={BURN_MS}", threads=1) as burns,
    ):
        found = windows_until(is_enough, "work and naps", server, reader)
    assert naps.done and burns.done and not naps.failures + burns.failures
    return found


def assert_naps_are_whole(wall):
    asleep = wall.where(lambda sample: sample.labels["state"] == "sleep")
    assert asleep.share("nap") >= bounds.nearly_all(asleep.total_count)


def assert_both_work(server, reader):
    cpu, wall = next_windows(both_are_seen, server, reader)
    assert cpu.share("burn") > bounds.MAJORITY, cpu.functions()
    assert_naps_are_whole(wall)
    assert server.our_errors == []


def test_the_apps_wakeup_descriptor_never_hears_of_the_profiler(uwsgi, profile_reader):
    server = start(uwsgi, cloudprofiler_period_ms=1)
    server.get("/listen")

    assert_both_work(server, profile_reader)
    assert json.loads(server.get("/heard")) == []

    os.kill(server.workers()[1], SIGNAL)
    wait_for(lambda: json.loads(server.get("/heard")) == [SIGNAL], "the app's own signal")


def test_wall_profiles_go_on_without_the_signal(uwsgi, profile_reader):
    server = start(uwsgi)
    server.get("/take")
    server.wait_for_log(r"\[cloudprofiler\] warning: the application has taken SIGURG")

    _, wall = next_windows(naps_are_seen, server, profile_reader)

    assert_naps_are_whole(wall)
    sampled = wall.where(lambda sample: sample.labels["state"] == "running")
    assert sampled.ns_of("burn") == 0, "samples of a signal that is not ours"


@pytest.mark.parametrize("threads", [None, 2], ids=["threads off", "two threads"])
def test_faulthandler_dumps_and_profiles_go_on(threads, uwsgi, profile_reader):
    server = start(uwsgi, threads=threads, enable_threads="true")
    server.get(f"/dump?ms={DUMP_MS}")

    assert_both_work(server, profile_reader)

    assert int(server.get("/dumps")) >= 5


@pytest.mark.skipif(not PY_SPY.exists(), reason="needs py-spy: make bench installs it")
def test_py_spy_reads_a_worker_that_is_profiled(uwsgi, profile_reader, tmp_path):
    server = start(uwsgi)
    record = tmp_path / "record"
    words = [PY_SPY, "record", "--duration", "3", "--format", "raw", "--output", record]

    spy = subprocess.Popen([*words, "--pid", str(server.workers()[1])], stderr=subprocess.PIPE)
    try:
        assert_both_work(server, profile_reader)
        with server.load(f"/burn?ms={BURN_MS}", threads=1):
            _, said = spy.communicate(timeout=COMMAND_SECONDS)
    finally:
        spy.kill()
    assert spy.returncode == 0, said
    assert "burn (burn.py" in record.read_text()
    dump = subprocess.run(
        [PY_SPY, "dump", "--pid", str(server.workers()[1])],
        stdout=subprocess.PIPE,
        text=True,
        timeout=COMMAND_SECONDS,
        check=True,
    )
    assert "Python v" in dump.stdout


@pytest.mark.skipif(not google_agent.packages(), reason=google_agent.MISSING)
def test_googles_agent_profiles_the_same_worker(uwsgi, profile_reader):
    server = start(
        uwsgi,
        enable_threads="true",
        env={"PYTHONPATH": str(google_agent.packages())},
        cloudprofiler_google_start="false",
    )

    with server.load(f"/agent?ms={AGENT_MS}", count=1, threads=1) as agent:
        files = server.wait_for_profiles(2)  # the second window is wholly the agent's
        agent.join()

    assert agent.failures == [] and int(agent.bodies.pop()) > 0
    assert profile_reader.read(files[-1]).share("burn") > bounds.MAJORITY
    assert_both_work(server, profile_reader)
