"""A bad option is refused before the first fork, by a line that helps.

SPDX-License-Identifier: MIT
"""

import os
import pwd

import pytest
from testenv import needs

# Option, value, and what the message must offer instead (as a part of it).
BAD_VALUES = [
    ("service", "Shop", "a-z"),
    ("service", "-shop", "a-z"),
    ("service", "shop-", "a-z"),
    ("service", "sh op", "a-z"),
    ("service", "s" * 256, "255"),
    ("service-version", "v" * 513, "512"),
    ("project-id", "Shop-1", "6 to 63"),
    ("project-id", "short", "6 to 63"),
    ("zone", "z" * 128, "127"),
    ("instance", "i" * 256, "255"),
    ("api-endpoint", "http://localhost", "https://HOST"),
    ("api-endpoint", "https://user:word@localhost", "https://HOST"),
    ("api-endpoint", "https://localhost/path", "https://HOST"),
    ("initial-backoff", "0", "1 to 3600"),
    ("gateway-memory", "63", "64 to 4096"),
    ("gateway-memory", "4097", "64 to 4096"),
    ("gateway-memory", "64m", "64 to 4096"),
    ("period-ms", "0", "1 to 1000"),
    ("period-ms", "abc", "1 to 1000"),
    ("period-ms", "1001", "1 to 1000"),
    ("period-ms", "10x", "1 to 1000"),
    ("period-ms", "-5", "1 to 1000"),
    ("period-ms", "99999999999999999999", "1 to 1000"),
    ("max-overhead", "0", "0.05 to 50"),
    ("max-overhead", "0.04", "0.05 to 50"),
    ("max-overhead", "50.01", "0.05 to 50"),
    ("max-overhead", "1.234", "two decimals"),
    ("max-overhead", "1.", "two decimals"),
    ("max-overhead", "-1", "0.05 to 50"),
    ("max-overhead", "half", "0.05 to 50"),
    ("max-samples", "9", "10 to 1000000"),
    ("max-samples", "1000001", "10 to 1000000"),
    ("max-samples", "1k", "10 to 1000000"),
    ("max-samples", "-1", "off"),
    ("max-depth", "0", "1 to 1024"),
    ("max-depth", "-1", "1 to 1024"),
    ("max-depth", "1025", "1 to 1024"),
    ("verbose", "4", "0 to 3"),
    ("output-keep", "-1", "0 to 1000000"),
    ("output-interval", "0", "1 to 86400"),
    ("output-duration", "3", "cloudprofiler-output-interval"),
    ("tag", "colour", "worker, thread, state, gil, method, host, mount, or path:N"),
    ("tag", "path", "path:N"),
    ("tag", "path:0", "1 to 16"),
    ("tag", "path:17", "1 to 16"),
    ("root-tag", "Route", "a-z 0-9"),
    ("root-tag", "k" * 65, "1 to 64"),
    ("slow-request-except", "poll/", "a slash and 1 to 199"),
    ("slow-request-except", "/", "a slash and 1 to 199"),
    ("slow-request-except", "/a b", "without spaces"),
    ("slow-request-except", "/poll?x=1", "without spaces and ?"),
    ("slow-request-except", "/" + "p" * 200, "1 to 199"),
    ("wall-idle", "maybe", "true, yes, on, 1, or false, no, off, 0"),
    ("native-leaf", "2", "true, yes, on, 1, or false, no, off, 0"),
    ("log-size", "abc", "256k to 1024m"),
    ("log-size", "1", "256k to 1024m"),
    ("gateway-binary", "/nowhere/gateway", "program"),
    ("output-dir", "/nowhere/profiles", "directory that exists"),
    ("output-dir", "/etc/passwd", "directory that exists"),
]


def refused(server):
    """Starts a server that must refuse its options; returns its one line about why."""
    server.errors_allowed = True
    status = server.launch().wait_for_exit()
    assert status == 1, f"status {status}:\n{server.log_tail()}"
    assert "spawned" not in server.log, "it forked before it refused"
    assert len(server.our_errors) == 1, server.our_errors or server.log_tail()
    return server.our_errors[0]


@pytest.mark.parametrize(
    ("option", "value", "accepted"), BAD_VALUES, ids=[f"{o}={v[:12]}" for o, v, _ in BAD_VALUES]
)
def test_a_bad_value_is_refused_with_what_would_be_accepted(make_uwsgi, option, value, accepted):
    name = f"cloudprofiler-{option}"

    message = refused(make_uwsgi(**{name: value}))

    assert name in message
    assert value[:200] in message
    assert accepted in message


def test_more_than_32_exceptions_are_refused(make_uwsgi):
    exceptions = [f"/poll/{number}" for number in range(33)]

    message = refused(make_uwsgi(cloudprofiler_slow_request_except=exceptions))

    assert 'cloudprofiler-slow-request-except: "/poll/32" is not accepted' in message
    assert "at most 32 of them" in message


FILES = ["credentials", "ca-file"]


@pytest.mark.parametrize("option", FILES)
@pytest.mark.parametrize("path", ["/nowhere/file", "/etc"])
def test_a_file_for_uploads_must_be_there(make_uwsgi, option, path):
    upload = {"cloudprofiler_service": "shop", "cloudprofiler_disable_upload": None}

    message = refused(make_uwsgi(**upload, **{f"cloudprofiler-{option}": path}))

    assert f"cloudprofiler-{option}" in message
    assert path in message
    assert "a file that uid" in message


@pytest.mark.skipif(os.getuid() != 0, reason=needs.ROOT)
@pytest.mark.parametrize("option", FILES)
def test_a_file_that_the_final_user_cannot_read_is_refused(make_uwsgi, workspace, option):
    private = workspace / f"roots-own-{option}"
    private.write_text("{}")
    private.chmod(0o600)
    upload = {"cloudprofiler_service": "shop", "cloudprofiler_disable_upload": None}

    message = refused(make_uwsgi(user="www-data", **upload, **{f"cloudprofiler-{option}": private}))

    assert str(private) in message
    assert f"uid {pwd.getpwnam('www-data').pw_uid} can read" in message


def test_both_kinds_of_profile_cannot_be_off(make_uwsgi):
    message = refused(
        make_uwsgi(
            cloudprofiler_disable_cpu_profiling="true", cloudprofiler_disable_wall_profiling="true"
        )
    )

    assert "cloudprofiler-disable-wall-profiling" in message
    assert "cloudprofiler-disable-cpu-profiling, not both" in message


@pytest.mark.skipif(os.getuid() != 0, reason=needs.ROOT)
def test_a_directory_that_the_final_user_cannot_write_is_refused(make_uwsgi, workspace):
    foreign = workspace / "roots-own"
    foreign.mkdir(mode=0o755)

    message = refused(make_uwsgi(user="www-data", cloudprofiler_output_dir=foreign))

    assert "cloudprofiler-output-dir" in message and str(foreign) in message


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change to another user")
def test_a_directory_that_the_gateway_cannot_list_is_refused(make_uwsgi, workspace):
    dark = workspace / "dark"
    dark.mkdir()
    dark.chmod(0o733)

    message = refused(make_uwsgi(user="www-data", cloudprofiler_output_dir=dark))

    assert "cloudprofiler-output-dir" in message and str(dark) in message


LIMITS = {
    "lowest": {
        "service": "s",
        "period_ms": 1,
        "max_depth": 1,
        "verbose": 0,
        "output_keep": 1,
        "output_interval": 1,
        "output_duration": 1,
    },
    "highest": {
        "service": "a" + "b-_." * 63 + "cz",
        "service_version": "v" * 512,
        "period_ms": 1000,
        "max_depth": 1024,
        "verbose": 3,
    },
}


@pytest.mark.parametrize("end", LIMITS)
def test_the_ends_of_every_range_are_accepted(end, uwsgi):
    server = uwsgi(**{f"cloudprofiler_{name}": value for name, value in LIMITS[end].items()})

    with server.some_work():
        server.wait_for_profiles()


FLAGS = [
    "disable-metadata",
    "disable-upload",
    "disable-cpu-profiling",
    "disable-wall-profiling",
    "wall-idle",
    "worker-frame",
    "native-leaf",
    "http-allow-remote",
    "disable",
]
TRUE_FORMS = ["true", "True", "yes", "on", "1"]
FALSE_FORMS = ["false", "FALSE", "no", "off", "0"]


def test_every_flag_takes_every_form_of_true_and_false(uwsgi):
    forms = {f"cloudprofiler-{flag}": TRUE_FORMS + FALSE_FORMS for flag in FLAGS}

    server = uwsgi(**forms)

    server.wait_for_first_profile()


# What a flag that is true looks like in the other files that uWSGI reads.
TRUE_IN_FILES = {
    "json": '{"uwsgi": {"cloudprofiler-FLAG": true}}',
    "xml": "<uwsgi><cloudprofiler-FLAG/></uwsgi>",
    "yaml": "uwsgi:\n  cloudprofiler-FLAG: yes\n",
}


@pytest.mark.parametrize("kind", TRUE_IN_FILES)
@pytest.mark.parametrize("flag", ["native-leaf", "wall-idle"])
def test_a_flag_is_true_as_each_kind_of_file_writes_it(uwsgi, workspace, kind, flag):
    file = workspace / f"{flag}.{kind}"
    file.write_text(TRUE_IN_FILES[kind].replace("FLAG", flag))

    server = uwsgi(**{kind: file})

    server.wait_for_first_profile()
