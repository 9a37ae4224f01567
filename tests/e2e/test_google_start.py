"""Apps that start Google's own agent are served by the plugin, unchanged (examples/google).

SPDX-License-Identifier: MIT
"""

import re

import pytest
from standin import BackToBack
from testenv import frameworks
from testenv.build import SOURCE
from testenv.cloud import LOCAL_OFF, PROJECT, upload_options
from testenv.google_agent import taken_by

EXAMPLE = SOURCE / "examples" / "google"
SAMPLE_TAKES = {
    "service": "hello-profiler",
    "service-version": "1.0.1",
    "verbose": "3",
}


@pytest.fixture
def cloud(make_uwsgi, standin, tmp_path):
    """Starts a server of an example's file that uploads to the stand-in, back to back. Its
    configuration names no service."""
    standin.pace = BackToBack(["CPU", "WALL"], "0.5s")

    def start(file="app.py", **options):
        uploads = upload_options(standin, tmp_path, cloudprofiler_service=None, **LOCAL_OFF)
        places = {"wsgi_file": EXAMPLE / file, "pythonpath": EXAMPLE, "need_app": "true"}
        return make_uwsgi(**uploads | places | options).start("/")

    return start


def assert_served(server, standin, service, version, workers):
    """One profile of each kind, of all of these workers, over one connection."""
    with server.some_work("/"):
        uploads = standin.wait_for_uploads(2)[:2]

    assert [upload.kind for upload in uploads] == ["CPU", "WALL"]
    for upload in uploads:
        assert upload.deployment["projectId"] == PROJECT
        assert upload.deployment["target"] == service
        assert upload.deployment["labels"] == {"language": "python", "version": version}
    seen = {label for upload in uploads for label in workers_of(upload)}
    assert seen >= set(workers), seen
    assert standin.most_open("api") == 1
    assert len(standin.connections_of("api")) == 1
    assert standin.problems == []


def workers_of(upload):
    texts = upload.message.string_table
    return {
        texts[label.str]
        for sample in upload.message.sample
        for label in sample.label
        if texts[label.key] == "worker"
    }


@pytest.mark.parametrize("form", ["threads off", "threads"])
def test_the_sample_s_call_names_the_service(form, cloud, standin):
    server = cloud(**({"threads": 2} if form == "threads" else {}))

    assert_served(server, standin, "hello-profiler", "1.0.1", {"1", "2"})
    taken, place = taken_by(server)
    assert taken == SAMPLE_TAKES
    assert re.fullmatch(r".*/app\.py:\d+", place)
    assert server.our_warnings == []


def test_the_sample_is_served_by_workers_that_load_it(cloud, standin):
    given = {f"cloudprofiler_{name.replace('-', '_')}": SAMPLE_TAKES[name] for name in SAMPLE_TAKES}
    server = cloud(lazy_apps="true", **given)

    assert_served(server, standin, "hello-profiler", "1.0.1", {"1", "2"})
    assert taken_by(server)[0] == {}
    assert server.our_warnings == []


def test_two_apps_and_a_mule_that_call_are_one_service(cloud, standin):
    server = cloud(
        wsgi_file=None,
        mount=[f"/first={EXAMPLE / 'app.py'}", f"/={EXAMPLE / 'app.py'}"],
        manage_script_name="true",
        threads=2,
        mule="google_mule.py",
    )

    assert_served(server, standin, "hello-profiler", "1.0.1", {"1", "2", "mule 1"})
    assert taken_by(server)[0] == SAMPLE_TAKES
    assert server.our_warnings == []


@pytest.mark.parametrize("when", ["before the fork", "lazy-apps"])
def test_django_may_call_when_it_is_ready(when, cloud, standin):
    options = {"virtualenv": frameworks.newest()}
    if when == "lazy-apps":
        options |= {
            "lazy_apps": "true",
            "cloudprofiler_service": "hello-django",
            "cloudprofiler_service_version": "2.0",
        }
    server = cloud("django_site.py", **options)

    assert_served(server, standin, "hello-django", "2.0", {"1", "2"})
    assert bool(taken_by(server)[0]) == (when == "before the fork")
    assert server.our_warnings == []


def test_a_call_in_a_worker_that_differs_is_one_warning(cloud, standin):
    server = cloud(
        lazy_apps="true", cloudprofiler_service="shop", cloudprofiler_service_version="1.0.1"
    )
    server.wait_for_workers(2)

    assert_served(server, standin, "shop", "1.0.1", {"1", "2"})
    server.wait_for_log("WSGI app 0 .* ready in", times=2)
    [warning] = server.our_warnings
    assert "cloudprofiler-service = hello-profiler (now: shop)" in warning
    assert "cloudprofiler-verbose = 3 (now: 1)" in warning
    assert "service-version" not in warning


def test_without_a_service_a_worker_s_call_says_what_to_add(cloud, standin):
    server = cloud(lazy_apps="true")
    server.wait_for_log("WSGI app 0 .* ready in", times=2)

    [warning] = server.our_warnings
    assert warning.endswith(
        ": Cloud Profiler gets no profiles. Add to uWSGI's configuration: cloudprofiler-service = "
        "hello-profiler, cloudprofiler-service-version = 1.0.1, cloudprofiler-verbose = 3"
    )
    assert standin.requests_of("create") == []
