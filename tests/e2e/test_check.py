"""`uwsgi --cloudprofiler-check` says what will work, and ends with 0 or 1.

SPDX-License-Identifier: MIT
"""

import functools
import os
import re
import shutil
import subprocess

import pytest
from testenv import needs
from testenv.build import PYTHON_PLUGIN, UWSGI, build_fake_python
from testenv.checks import run_check
from testenv.cloud import PROJECT, upload_options

SECONDS = 90

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


@pytest.fixture
def check(plugin_dir, tmp_path):
    return functools.partial(run_check, tmp_path, plugin_dir)


ORDERS = [(PYTHON_PLUGIN, "cloudprofiler"), ("cloudprofiler", PYTHON_PLUGIN)]


@pytest.mark.parametrize("plugins", ORDERS, ids=["python first", "python last"])
def test_a_directory_alone_will_do(plugins, check, tmp_path):
    done = check(plugins=plugins, cloudprofiler_output_dir=tmp_path)

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


def test_an_exception_that_is_no_path_fails(check):
    done = check(cloudprofiler_slow_request="5", cloudprofiler_slow_request_except="poll")

    assert done.returncode == 1
    assert 'cloudprofiler-slow-request-except: "poll" is not accepted' in done.stderr


def test_a_directory_that_is_not_there_fails(check, tmp_path):
    done = check(cloudprofiler_output_dir=tmp_path / "missing")

    assert done.returncode == 1
    assert "a directory that exists" in done.stderr


def test_a_check_that_a_server_started_is_no_reload(check, tmp_path, monkeypatch):
    monkeypatch.setenv("UWSGI_RELOADS", "0")
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


def test_what_the_check_does_not_try_is_named(check, tmp_path):
    done = check(
        cloudprofiler_output_dir=tmp_path,
        cloudprofiler_http=tmp_path / "endpoint.sock",
        exec_pre_jail="exit 1",
        mount_as_root="proc proc /nowhere",
        unshare="net",
    )

    assert done.returncode == 0, done.stderr
    for what in ("endpoint.sock is free", "sockets are free", "hooks", "mounts", "namespaces"):
        assert re.search(f"check: not checked: .*{what}", done.stderr), what
    assert not (tmp_path / "endpoint.sock").exists()


def test_hooks_that_nobody_configured_are_not_named(check, tmp_path):
    done = check(cloudprofiler_output_dir=tmp_path)

    assert done.stderr.count("not checked") == 1


@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_profiler_that_is_disabled_fails(how, check, tmp_path, monkeypatch):
    if how == "environment":
        monkeypatch.setenv("CLOUDPROFILER_DISABLE", "1")
    done = check(
        cloudprofiler_output_dir=tmp_path,
        cloudprofiler_disable="true" if how == "option" else None,
    )

    assert done.returncode == 1
    assert "check: FAILED: cloudprofiler-disable or CLOUDPROFILER_DISABLE=1 is set" in done.stderr


def test_variables_of_an_envdir_count(check, tmp_path):
    variables = tmp_path / "variables"
    variables.mkdir()
    (variables / "CLOUDPROFILER_DISABLE").write_text("1")

    done = check(cloudprofiler_output_dir=tmp_path, envdir=variables)

    assert done.returncode == 1
    assert "CLOUDPROFILER_DISABLE=1 is set" in done.stderr


def test_paths_are_looked_up_where_the_server_goes(check, tmp_path):
    (tmp_path / "home" / "profiles").mkdir(parents=True)

    done = check(chdir=tmp_path / "home", cloudprofiler_output_dir="profiles")

    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/home/profiles can be written to" in done.stderr


def test_a_plugin_for_another_python_fails(check, workspace, tmp_path, monkeypatch):
    library = build_fake_python(workspace / "check-another-python", "3.99.0 (fake)")
    monkeypatch.setenv("LD_PRELOAD", str(library))

    done = check(cloudprofiler_output_dir=tmp_path)

    assert done.returncode == 1
    assert "check: FAILED: this CPython is not the one" in done.stderr


@needs_root
def test_the_directory_is_judged_as_the_uid_that_the_server_changes_to(check, workspace):
    directory = workspace / "of-nobody"
    directory.mkdir(mode=0o755)

    done = check(cloudprofiler_output_dir=directory, uid="nobody", gid="nogroup")
    assert done.returncode == 1
    assert "a directory that uid 65534 can write to" in done.stderr

    shutil.chown(directory, "nobody")
    done = check(cloudprofiler_output_dir=directory, uid="nobody", gid="nogroup")
    assert done.returncode == 0, done.stderr
    assert "judged as uid 65534 and gid 65534" in done.stderr


@needs_root
def test_the_directory_is_judged_as_root_where_the_master_stays_root(check, workspace):
    directory = workspace / "of-root"
    directory.mkdir(mode=0o755)

    done = check(
        cloudprofiler_output_dir=directory, uid="nobody", gid="nogroup", master_as_root="true"
    )

    assert done.returncode == 0, done.stderr


@needs_root
def test_the_groups_of_the_user_and_those_that_are_added_count(check, workspace):
    directory = workspace / "of-a-group"
    directory.mkdir(mode=0o755)
    shutil.chown(directory, "root", "www-data")
    directory.chmod(0o775)
    user = {"cloudprofiler_output_dir": directory, "uid": "nobody", "gid": "nogroup"}

    assert check(**user).returncode == 1
    assert check(**user, add_gid="www-data").returncode == 0


@needs_root
def test_a_user_that_is_not_there_fails(check, tmp_path):
    done = check(cloudprofiler_output_dir=tmp_path, uid="no-such-user")

    assert done.returncode == 1
    assert "check: FAILED: there is no user no-such-user" in done.stderr


@needs_root
def test_paths_are_looked_up_in_the_root_that_the_server_changes_to(check, workspace):
    root = workspace / "check-root"
    root.mkdir()

    done = check(cloudprofiler_output_dir=workspace, chroot=root)

    assert done.returncode == 1
    assert f'"{workspace}" is not accepted; give a directory that exists' in done.stderr


@needs_root
def test_a_user_who_cannot_become_the_server_fails(check, workspace):
    done = check(cloudprofiler_output_dir=workspace, uid="1", launcher=("setpriv", "--reuid=65534"))

    assert done.returncode == 1
    assert "check: FAILED: only root can change" in done.stderr


@pytest.mark.parametrize("place", ["above the plugins", "below the plugins"])
@pytest.mark.parametrize("value", ["true", "false"])
def test_the_option_may_stand_in_the_file(place, value, make_uwsgi):
    server = make_uwsgi()
    ini = server.write_ini().read_text()
    line = f"cloudprofiler-check = {value}\n"
    ini = ini.replace("[uwsgi]\n", "[uwsgi]\n" + line) if "above" in place else ini + line
    file = server.directory / "with-check.ini"
    file.write_text(ini + "exit-on-reload = true\nno-server = true\n")

    done = subprocess.run(
        [UWSGI, "--ini", file], capture_output=True, text=True, timeout=SECONDS, check=False
    )

    assert done.returncode == 0, done.stderr
    assert ("check: profiling will work" in done.stderr) == (value == "true")
    assert ("no-server mode requested" in done.stderr) == (value == "false")
