"""`uwsgi --cloudprofiler-check` says what will work, and ends with 0 or 1.

SPDX-License-Identifier: MIT
"""

import subprocess

import pytest
from testenv import needs
from testenv.build import PYTHON_PLUGIN, UWSGI
from testenv.cloud import PROJECT, upload_options

SECONDS = 90


@pytest.fixture
def check(plugin_dir, tmp_path):
    def run(*, plugins=(PYTHON_PLUGIN, "cloudprofiler"), **options):
        command = [UWSGI, "--plugin-dir", plugin_dir, "--plugin", ",".join(filter(None, plugins))]
        for name, value in options.items():
            option = f"--{name.replace('_', '-')}"
            if value == "true":
                command.append(option)
            elif value is not None:
                command += [option, value]
        return subprocess.run(
            [*map(str, command), "--cloudprofiler-check"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    return run


def test_a_directory_alone_will_do(check, tmp_path):
    done = check(cloudprofiler_output_dir=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "check: ok: uWSGI is the one" in done.stderr
    assert "check: ok: CPython 3." in done.stderr
    assert f"check: ok: {tmp_path} can be written to" in done.stderr
    assert "perf_event_open is refused" in done.stderr or "without bias" in done.stderr


def test_no_place_for_profiles_fails(check):
    done = check()

    assert done.returncode == 1
    assert "check: FAILED: none of cloudprofiler-service" in done.stderr


def test_slow_requests_alone_will_do_as_they_do_for_a_server(check):
    done = check(cloudprofiler_slow_request="5")

    assert "there is a place for profiles" in done.stderr


def test_a_directory_that_is_not_there_fails(check, tmp_path):
    done = check(cloudprofiler_output_dir=tmp_path / "missing")

    assert done.returncode == 1
    assert "a directory that exists" in done.stderr


@pytest.mark.skipif(not PYTHON_PLUGIN, reason=needs.SEPARATE_PYTHON)
def test_a_server_without_python_fails(check, tmp_path):
    done = check(plugins=("cloudprofiler",), cloudprofiler_output_dir=tmp_path)

    assert done.returncode == 1
    assert "check: FAILED: no Python plugin is loaded" in done.stderr


def test_an_upload_that_will_work(check, standin, tmp_path):
    done = check(**upload_options(standin, tmp_path))

    assert done.returncode == 0, done.stderr
    assert f"check: ok: the project is {PROJECT}" in done.stderr
    assert "check: ok: the credentials give a token" in done.stderr
    assert f"check: ok: {standin.endpoint} answers" in done.stderr
    assert "profiling will work" in done.stderr


def test_an_endpoint_that_is_not_there_fails(check, standin, tmp_path):
    # Port 1 is no one's here; the token server is the stand-in all the same.
    done = check(
        **upload_options(standin, tmp_path, cloudprofiler_api_endpoint="https://127.0.0.1:1")
    )

    assert done.returncode == 1
    assert "check: ok: the credentials give a token" in done.stderr
    assert "https://127.0.0.1:1 does not answer" in done.stderr
    assert "check: profiling will NOT work as configured" in done.stderr
