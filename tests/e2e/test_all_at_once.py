"""What an operator asks for comes while everything goes wrong at once: 50 requests hang, the log is
half full again and again in a window of ten minutes, the disk takes two seconds for each file, and
nobody reads the server's log.

SPDX-License-Identifier: MIT
"""

import statistics
import time
from pathlib import Path

import pytest
from test_dumps import GEVENT, MANY, hung_in_their_functions, stacks_of, with_gevent
from test_log_pipe import TO_PIPE, collector, hanging
from testenv.build import GATEWAY, build_library
from testenv.endpoint import TOKEN, Endpoint
from testenv.gateway import wrap_gateway
from testenv.load import asked
from testenv.loop import TURN_MS, longest_turn_ms
from testenv.wait import wait_for

SECONDS = 90
HANG_SECONDS = 600
HARAKIRI_SECONDS = 15
DISK_MS = 2000
ASKED_TIMES = 5
STACKS_S = 1
METRICS_S = 0.5
CUT = r"a log is half full"

LOOPS = {"threads": {"threads": MANY + 2}, "gevent": with_gevent(1000)}
EACH_LOOP = [
    pytest.param(options, marks=GEVENT if name == "gevent" else (), id=name)
    for name, options in LOOPS.items()
]


@pytest.fixture
def slow_disk(workspace, plugin_dir, request):
    """A gateway program whose disk is slow."""
    directory = workspace / f"slow-{request.node.name}"
    directory.mkdir()
    library = build_library(Path(__file__).with_name("slow_calls.c"), directory / "slow.so")
    return wrap_gateway(
        directory, program=plugin_dir / GATEWAY, LD_PRELOAD=library, SLOW_DISK_MS=DISK_MS
    )


def timed(endpoint, path):
    began = time.monotonic()
    answer = endpoint.ask(path)
    assert answer.status == 200, answer.text
    return answer.text, time.monotonic() - began


@pytest.mark.parametrize("loop", EACH_LOOP)
def test_an_operator_is_answered_at_once(make_uwsgi, slow_disk, loop):
    server = make_uwsgi(
        app="besieged",
        launcher=TO_PIPE,
        processes=1,
        enable_threads="true",
        harakiri=HARAKIRI_SECONDS,
        cloudprofiler_gateway_binary=slow_disk,
        cloudprofiler_output_interval=600,
        cloudprofiler_output_duration=600,
        cloudprofiler_log_size=str(512 << 10),
        cloudprofiler_period_ms=5,
        cloudprofiler_slow_request=2,
        cloudprofiler_verbose=3,
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_http_token=TOKEN,
        **loop,
    )
    paths = [f"/hang/{number}/{HANG_SECONDS}" for number in range(MANY)]

    with collector(server) as program:
        server.start()
        endpoint = Endpoint(server)
        server.get("/work")
        server.wait_for_log(CUT, seconds=SECONDS)
        with asked(server, paths):
            wait_for(
                lambda: hung_in_their_functions(
                    stacks_of(endpoint.ask("/debug/pprof/stacks").text), paths
                ),
                "all requests in the text",
                SECONDS,
            )
            with hanging(program, server):
                looks = [timed(endpoint, "/debug/pprof/stacks") for _ in range(ASKED_TIMES)]
                metrics_s = [timed(endpoint, "/metrics")[1] for _ in range(ASKED_TIMES)]
                longest_ms = longest_turn_ms(endpoint)
        (file,) = wait_for(
            lambda: list(server.profiles.glob("harakiri-*.txt")), "harakiri's text", SECONDS
        )
        text = wait_for(file.read_text, "what is in it", SECONDS)

    looks_s = [took_s for _, took_s in looks]
    print(f"stacks {looks_s}, metrics {metrics_s}, longest turn {longest_ms} ms")
    for shown, _ in looks:
        assert hung_in_their_functions(stacks_of(shown), paths), shown
    assert statistics.median(looks_s) < STACKS_S
    assert statistics.median(metrics_s) < METRICS_S
    assert longest_ms < TURN_MS
    assert hung_in_their_functions(stacks_of(text), paths), text
