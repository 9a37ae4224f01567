"""What the gateway is started with, and what happens where it cannot start.

SPDX-License-Identifier: MIT
"""

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from testenv import processes
from testenv.build import GATEWAY, SOURCE, UWSGI, build_library
from testenv.cloud import LOCAL_OFF, upload_options
from testenv.gateway import wrap_gateway
from testenv.uwsgi import NO_MASTER
from testenv.wait import wait_for

# What a library would load, write or obey.
HARMFUL = {
    "LD_LIBRARY_PATH": "/nowhere",
    "LD_DEBUG": "unused",
    "GLIBC_TUNABLES": "glibc.malloc.check=1",
    "MALLOC_ARENA_MAX": "1",
    "OPENSSL_CONF": "/nowhere/openssl.cnf",
    "OPENSSL_MODULES": "/nowhere",
    "CURL_HOME": "/nowhere",
    "SSLKEYLOGFILE": "/nowhere/keys",
    "SECRET_OF_THE_APP": "secret",
}
WANTED = {
    "GOOGLE_APPLICATION_CREDENTIALS": "/start/key.json",
    "GOOGLE_CLOUD_PROJECT": "start-project",
    "HTTPS_PROXY": "http://start.test:3128",
    "no_proxy": "start.test",
    "SSL_CERT_FILE": "/start/ca.pem",
    "HOME": "/start",
}
# Others that are passed on, which this machine may have set.
MAY_BE_SET = [
    *("CLOUDSDK_CONFIG", "GCE_METADATA_HOST", "GCE_METADATA_IP", "NO_GCE_CHECK"),
    *("GCLOUD_PROJECT", "GOOGLE_CLOUD_QUOTA_PROJECT", "http_proxy", "https_proxy", "all_proxy"),
    *("ALL_PROXY", "NO_PROXY", "SSL_CERT_DIR", "RES_OPTIONS", "LOCALDOMAIN", "K_SERVICE"),
]
LOADS = {"preforked": {}, "lazy": {"lazy_apps": "true"}}


@pytest.fixture(params=LOADS, ids=str)
def load(request):
    return LOADS[request.param]


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch):
    for name in MAY_BE_SET:
        monkeypatch.delenv(name, raising=False)


class Watched:
    """A server whose gateways leave their environment, as they got it, in files."""

    def __init__(self, make_uwsgi, workspace, plugin_dir, name, app_sets, **options):
        self._directory = workspace / f"start-{name}"
        self._directory.mkdir()
        self._directory.chmod(0o777)
        script = wrap_gateway(
            self._directory,
            f'cat "/proc/$$/environ" > "{self._directory}/$$.new"',
            f'mv "{self._directory}/$$.new" "{self._directory}/$$.environ"',
            program=plugin_dir / GATEWAY,
        )
        self.server = make_uwsgi(
            app="sets_environment",
            processes=1,
            cloudprofiler_gateway_binary=script,
            **options,
        )
        (self.server.directory / "environment.json").write_text(json.dumps(app_sets))

    def start(self):
        self.server.start()
        return self

    def environment(self):
        """Of the gateway that runs now."""
        file = self._directory / f"{self.server.gateway()}.environ"
        wait_for(file.exists, file)
        return dict(pair.split("=", 1) for pair in file.read_text().split("\0")[:-1])

    def reload(self):
        before, old = self.server.gateway(), self.server.workers()
        self.server.reload_by_signal()
        self.server.wait_for_new_workers(old)
        self.server.wait_until_live()
        wait_for(lambda: self.server.gateway() != before, "another gateway")


@pytest.fixture
def watched(make_uwsgi, workspace, plugin_dir, request):
    def make(app_sets, **options):
        name = f"{abs(hash(request.node.name))}"
        return Watched(make_uwsgi, workspace, plugin_dir, name, app_sets, **options)

    return make


# The environment


def test_the_documentation_lists_what_is_passed_on():
    source = (SOURCE / "plugin/host/gateway_environment.c").read_text()
    table = source.split("names[] = {")[1].split("};")[0]
    section = (SOURCE / "docs/cloud-profiler.md").read_text().split("\n## The environment\n")[1]
    rows = [line for line in section.split("\n## ")[0].splitlines() if line.startswith("|")]

    assert set(re.findall(r'"(\w+)"', table)) == set(re.findall(r"`(\w+)`", "".join(rows)))


def test_the_gateway_gets_what_the_server_was_started_with_and_nothing_else(watched, load):
    start = {**os.environ, **WANTED, **{name: "1" for name in HARMFUL if name[:3] != "LD_"}}
    app_sets = {name: f"{value} of the app" for name, value in (HARMFUL | WANTED).items()}
    expected = {name: start[name] for name in WANTED}

    one = watched(app_sets, env=start, **load).start()

    assert one.environment() == expected
    one.reload()
    assert one.environment() == expected
    one.reload()
    assert one.environment() == expected


def test_what_the_app_takes_away_or_adds_is_not_taken_from_the_gateway_or_given_to_it(
    watched, load
):
    app_sets = dict.fromkeys(WANTED) | {"GCE_METADATA_HOST": "app.test", "ALL_PROXY": "app.test"}

    one = watched(app_sets, env=WANTED, **load).start()

    assert one.environment() == WANTED
    one.reload()
    assert one.environment() == WANTED


def test_the_ini_file_sets_variables_and_sets_them_anew_at_a_reload(watched, load):
    def lines(number):
        values = [f"GOOGLE_CLOUD_PROJECT=ini-{number}", "GCE_METADATA_HOST=ini.test"]
        return values + [f"{name}=/ini" for name in HARMFUL]

    app_sets = {"GOOGLE_CLOUD_PROJECT": "app", "GCE_METADATA_HOST": None}
    one = watched(app_sets, env=WANTED, **load)
    one.server.set_option("env", lines(1))
    one.start()
    expected = WANTED | {"GOOGLE_CLOUD_PROJECT": "ini-1", "GCE_METADATA_HOST": "ini.test"}

    assert one.environment() == expected
    one.server.set_option("env", lines(2))
    one.server.write_ini()
    one.reload()
    assert one.environment() == expected | {"GOOGLE_CLOUD_PROJECT": "ini-2"}


def test_the_app_keeps_the_environment_that_it_made_and_sees_none_of_the_profiler_s(watched):
    app_sets = {"GOOGLE_CLOUD_PROJECT": "app", "GCE_METADATA_HOST": "app.test"}
    one = watched(app_sets, env=WANTED).start()
    one.reload()

    (worker, *_) = one.server.workers().values()
    seen = Path(f"/proc/{worker}/environ").read_bytes().decode().split("\0")

    # The initial block, before any line of ours or the app's: what the reload handed on.
    assert "GOOGLE_CLOUD_PROJECT=app" in seen
    names = one.server.get("/environment").split()
    assert not [name for name in names if name.startswith("CLOUDPROFILER_")]


def test_the_service_s_name_is_not_the_app_s_to_give(watched, load):
    one = watched({"K_SERVICE": "app", "CLOUDPROFILER_DISABLE": "1"}, **load, **LOCAL_OFF)
    one.start()

    one.server.wait_for_log(r"none of cloudprofiler-service")


def test_the_check_gives_the_gateway_the_same_environment(workspace, plugin_dir, tmp_path):
    directory = workspace / "start-check"
    directory.mkdir()
    script = wrap_gateway(
        directory, f'cat "/proc/$$/environ" > "{directory}/environ"', program=plugin_dir / GATEWAY
    )
    options = {
        "plugin-dir": plugin_dir,
        "plugin": "cloudprofiler",
        "env": "GOOGLE_CLOUD_PROJECT=ini",
        "cloudprofiler-service": "shop",
        "cloudprofiler-api-endpoint": "https://127.0.0.1:1",
        "cloudprofiler-gateway-binary": script,
    }
    command = [UWSGI, *(f"--{name}={value}" for name, value in options.items())]
    subprocess.run(
        [*command, "--cloudprofiler-disable-metadata", "--cloudprofiler-check"],
        cwd=tmp_path,
        env={**os.environ, **WANTED, "SSLKEYLOGFILE": "/nowhere"},
        check=False,
        capture_output=True,
        timeout=90,
    )
    given = (directory / "environ").read_text().split("\0")[:-1]

    assert "GOOGLE_CLOUD_PROJECT=ini" in given
    assert f"HTTPS_PROXY={WANTED['HTTPS_PROXY']}" in given
    assert not [line for line in given if line.split("=")[0] in HARMFUL]


def test_other_libraries_in_the_app_s_library_path_do_not_reach_the_gateway(make_uwsgi, tmp_path):
    (tmp_path / "libcurl.so.4").write_bytes(b"")
    server = make_uwsgi()
    server.set_option("env", f"LD_LIBRARY_PATH={tmp_path}")

    assert server.start().wait_for_first_profile()


# Programs that do not run


@pytest.fixture
def broken_program(workspace):
    """A program that lacks a library: the loader ends it."""
    directory = workspace / "start-broken"
    directory.mkdir()
    library, program = directory / "libmissing.so", directory / "gateway"
    (directory / "missing.c").write_text("int missing;\n")
    (directory / "main.c").write_text("extern int missing;\nint main(void) { return missing; }\n")
    build_library(directory / "missing.c", library)
    subprocess.run(["gcc", "-o", program, directory / "main.c", library], check=True, timeout=60)
    library.unlink()
    yield program
    shutil.rmtree(directory)


def test_a_gateway_that_lacks_a_library_is_reported_once_and_runs_when_it_can(
    make_uwsgi, broken_program, plugin_dir
):
    server = make_uwsgi(cloudprofiler_gateway_binary=broken_program)
    server.errors_allowed = True
    server.start()

    server.wait_for_log(r"error: the gateway \S+ does not run: .*libmissing\.so.*troubleshooting")
    server.burst("/burn?ms=1", count=20)
    repaired = broken_program.with_name("repaired")
    shutil.copy2(plugin_dir / GATEWAY, repaired)
    repaired.rename(broken_program)

    server.wait_for_first_profile(seconds=60)
    assert len(server.our_errors) == 1
    assert server.log.count("spawned cloudprofiler") == 2  # the first and the one that waited
    assert server.log.count("error while loading shared libraries") == 2  # the loader's, and ours


def test_a_gateway_that_waits_ends_with_the_server(make_uwsgi, broken_program):
    server = make_uwsgi(cloudprofiler_gateway_binary=broken_program)
    server.errors_allowed = True
    server.start()
    server.wait_for_log(r"does not run")
    session = server.master_pid

    os.kill(server.master_pid, signal.SIGKILL)

    wait_for(lambda: not processes.in_session(session), "the end of all processes")


# Calls that fail


@pytest.fixture
def failing_gateway(workspace, plugin_dir):
    def make(call, times):
        directory = workspace / f"start-{call}-{times}"
        (directory / "marks").mkdir(parents=True)
        library = build_library(Path(__file__).with_name("fail_calls.c"), directory / "fail.so")
        return wrap_gateway(
            directory,
            program=plugin_dir / GATEWAY,
            LD_PRELOAD=library,
            FAIL_CALL=call,
            FAIL_TIMES=times,
            FAIL_MARKS=directory / "marks",
        )

    return make


@pytest.mark.parametrize("call", ["calloc", "signalfd", "mmap"])
def test_a_gateway_whose_start_met_one_failed_call_is_started_again(
    make_uwsgi, failing_gateway, call
):
    server = make_uwsgi(cloudprofiler_gateway_binary=failing_gateway(call, 1))
    server.errors_allowed = True
    server.start()

    server.wait_for_log(r"error: the gateway cannot begin: .*; it is tried again after a pause")
    assert server.wait_for_first_profile()
    assert len(server.our_errors) == 1


@pytest.mark.parametrize("call", ["signalfd", "end"])
def test_the_pause_grows_while_the_gateway_does_not_begin(make_uwsgi, failing_gateway, call):
    gateway = failing_gateway(call, 3)
    server = make_uwsgi(cloudprofiler_gateway_binary=gateway)
    server.errors_allowed = True
    server.start().wait_for_first_profile()

    first, second, third = (
        (gateway.parent / "marks" / str(number)).stat().st_mtime for number in range(3)
    )
    assert second - first >= 1
    assert third - second >= 2
    reported = [line for line in server.our_errors if "has ended 2 times before" in line]
    assert len(reported) == 1
    assert len(server.our_errors) == (4 if call == "signalfd" else 1)


def test_an_upload_that_could_not_be_started_is_started_later(
    make_uwsgi, make_standin, failing_gateway, tmp_path
):
    standin = make_standin()
    options = upload_options(standin, tmp_path, **LOCAL_OFF)
    options["cloudprofiler_gateway_binary"] = failing_gateway("curl_multi_init", 1)
    server = make_uwsgi(**options)
    server.errors_allowed = True
    server.start()

    server.wait_for_log(r"error: nothing is sent to Cloud Profiler: .*; it is tried again")
    standin.release("CPU", "0.5s")
    with server.some_work():
        wait_for(lambda: standin.uploads, "an upload")
    assert len(server.our_errors) == 1


def test_a_gateway_of_another_build_says_so_once_and_stays_until_it_is_ended(plugin_dir, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"\0" * 4096)
    with file.open("rb") as config, file.open("rb") as segment:
        fds = [segment.fileno(), config.fileno()]
        gateway = subprocess.Popen(
            [plugin_dir / GATEWAY, "--segment-fd", str(fds[0]), "--config-fd", str(fds[1])],
            pass_fds=fds,
            stderr=subprocess.PIPE,
            text=True,
        )
    with gateway:
        line = gateway.stderr.readline()
        stays = gateway.poll() is None
        gateway.send_signal(signal.SIGTERM)
        status = gateway.wait(30)

    assert "the gateway cannot work: configuration: " in line
    assert stays
    assert status in (0, -signal.SIGTERM)  # it may not have come to its wait yet


def test_without_a_master_it_ends_with_a_server_that_ends_before_it_begins(make_uwsgi, tmp_path):
    library = build_library(Path(__file__).with_name("late_prctl.c"), tmp_path / "late_prctl.so")
    server = make_uwsgi(env={"LD_PRELOAD": str(library)}, **NO_MASTER).start()

    server.stop()  # fails if a process is left
