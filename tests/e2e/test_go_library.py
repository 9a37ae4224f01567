"""A library with a Go runtime in the app: Go ends a process in which a handler of anybody runs on
a goroutine's stack, and takes SIGURG for itself wherever it is loaded after the profiler.

GO_SECONDS is how long each form runs (make go-soak: five minutes).

SPDX-License-Identifier: MIT
"""

import os

import pytest
from testenv.go import build_go_library
from testenv.uwsgi import APPS, NO_MASTER

SECONDS = int(os.environ.get("GO_SECONDS", "2"))
REST_S = 0.005  # behind each request, which burns about as long

TAKEN = r"has taken SIGURG for itself \(the handler is in .*go_library\.so\)"


@pytest.fixture(scope="module")
def go_library(workspace):
    return build_go_library(APPS / "go_library", workspace / "go_library.so")


def options(go_library, loaded, **more):
    return {
        "app": "go_library",
        "env": {"GO_LIBRARY": str(go_library), "GO_LOADED": loaded},
        "cloudprofiler_period_ms": 1,
        "cloudprofiler_max_overhead": "off",
        "cloudprofiler_output_interval": 1,
        "cloudprofiler_output_duration": 1,
        "cloudprofiler_output_keep": 0,
        "need_app": "true",
        **more,
    }


def run(server):
    """Requests that burn in Go, in windows of CPU and wall time; the newest CPU profile."""
    limit_s = SECONDS + 60
    with server.load("/go", threads=1, seconds=limit_s, rest_s=REST_S) as load:
        newest = server.wait_for_profiles(SECONDS, limit_s)[-1]
    assert load.done
    assert not load.failures
    server.check_log()
    return newest


def test_a_library_loaded_before_the_sampler_is_profiled(uwsgi, go_library, profile_reader):
    server = uwsgi(**options(go_library, "import", **NO_MASTER))

    profile = profile_reader.read(run(server))

    assert profile.share("[native]") > 0.5, profile.functions()
    assert not server.our_warnings


def test_wall_profiles_alone_are_taken_beside_it(uwsgi, go_library):
    server = uwsgi(
        **options(go_library, "import", cloudprofiler_disable_cpu_profiling="true", **NO_MASTER)
    )

    with server.load("/go", threads=1, seconds=SECONDS, rest_s=REST_S) as load:
        load.join()

    assert load.done
    assert not load.failures
    server.check_log()


def test_workers_forked_from_a_master_with_it_are_profiled(uwsgi, go_library, profile_reader):
    server = uwsgi(**options(go_library, "master", processes=1, enable_threads="true"))

    profile = profile_reader.read(run(server))

    assert profile.share("burn_python") > 0.5, profile.functions()
    assert not server.our_warnings


def test_one_loaded_by_a_request_takes_the_signal_and_is_named(uwsgi, go_library, profile_reader):
    server = uwsgi(
        **options(go_library, "request", processes=1, lazy_apps="true", enable_threads="true")
    )

    profile = profile_reader.read(run(server))

    server.wait_for_log(TAKEN)
    assert profile.share("[unsampled]") > 0.9, profile.functions()


def test_one_loaded_in_a_mule_takes_the_signal_and_is_named(uwsgi, go_library, profile_reader):
    server = uwsgi(**options(go_library, "request", processes=1, mule="go_mule.py"))

    server.wait_for_log(TAKEN)
    newest = server.wait_for_profiles(SECONDS, SECONDS + 60)[-1]
    profile = profile_reader.read(newest)

    server.check_log()
    mule = profile.where(lambda sample: sample.labels.get("worker") == "mule 1")
    assert mule.functions() == {"[unsampled]"}
