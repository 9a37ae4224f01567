"""Tags, names and requests that try to be markup, escape sequences or lines of their own come out
as harmless text of each format.

SPDX-License-Identifier: MIT
"""

import json
import re

import pytest
from testenv.endpoint import TOKEN, Endpoint

CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
VERSION = "1\"2\\3'4"
PATH = "/<script>'\"\\x"


@pytest.fixture(scope="module")
def endpoint(make_uwsgi_for_module):
    server = make_uwsgi_for_module(
        app="hostile",
        processes=1,
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_http_token=TOKEN,
        cloudprofiler_service_version=VERSION,
        cloudprofiler_root_tag=["trap", "path"],
        cloudprofiler_tag=["thread", "path:1"],
        cloudprofiler_output_dir=None,
        cloudprofiler_output_interval=None,
        cloudprofiler_output_duration=None,
    ).start()
    endpoint = Endpoint(server)
    with server.load(PATH, threads=1):
        assert endpoint.ask("/debug/pprof/wall?seconds=1").status == 200
        endpoint.stacks = endpoint.ask("/debug/pprof/stacks").text
    return endpoint


def profile_as(endpoint, form):
    newest = endpoint.ask("/profiles/").json()["recent"][0]
    answer = endpoint.ask(f"/profiles/{newest['id']}?format={form}")
    assert answer.status == 200
    return answer.text


def test_a_collapsed_stack_is_one_line(endpoint):
    lines = profile_as(endpoint, "collapsed").splitlines()

    assert all(re.fullmatch(r"[^\x00-\x1f\x7f-\x9f]+ \d+", line) for line in lines)
    assert any(line.startswith("trap: </script>") for line in lines)


def test_a_frame_of_speedscope_is_a_string(endpoint):
    names = [
        one["name"] for one in json.loads(profile_as(endpoint, "speedscope"))["shared"]["frames"]
    ]

    assert any(name.startswith("trap: </script>") for name in names)
    assert not any(CONTROLS.search(name) or "\n" in name for name in names)


def test_top_and_stacks_are_lines_of_text(endpoint):
    top = profile_as(endpoint, "top")
    shape = re.compile(r"worker 1, pid \d+|  thread .+|    .+")

    assert "/script>" in top and not CONTROLS.search(top)  # the beginning of long names is cut
    assert not re.search(r"^ 9", top, re.MULTILINE)
    assert not CONTROLS.search(endpoint.stacks)
    assert all(shape.fullmatch(line) for line in endpoint.stacks.splitlines()), endpoint.stacks


def test_status_and_metrics_are_what_they_should_be(endpoint):
    metrics = endpoint.ask("/metrics").text
    escaped = VERSION.replace("\\", r"\\").replace('"', r"\"")

    assert endpoint.status()["slots"]
    assert f'service_version="{escaped}"' in metrics and not CONTROLS.search(metrics)
