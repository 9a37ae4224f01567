"""What a server, a network or a key file can do wrong, and what the operator reads of it. After
each, all must be well again as soon as the other side is.

SPDX-License-Identifier: MIT
"""

import contextlib
import re
from typing import NamedTuple

import pytest
from standin import BackToBack, Hold, StandIn, drop, error, hang, huge, normal, raw, redirect, reset
from testenv.cloud import LOCAL_OFF, upload_options
from testenv.endpoint import TOKEN, Endpoint
from testenv.uwsgi import Uwsgi

TRIES = 4
# Name, what the create call meets, and what the log says of it.
CREATE_FAULTS = [
    ("400", error(400), "the API does not accept the request"),
    ("401", error(401), "the API does not accept the access token"),
    (
        "403",
        error(403, message="Permission denied: Bearer ya29.standin-sa-1 may not create"),
        "grant it roles/cloudprofiler.agent (project lab-project): HTTP 403 PERMISSION_DENIED: "
        "Permission denied: Bearer [...] may not create",
    ),
    (
        "403-disabled",
        error(403, message="Cloud Profiler API has not been used in project 1 or it is disabled."),
        "gcloud services enable cloudprofiler.googleapis.com",
    ),
    ("404", error(404), "the API does not know this place"),
    ("429", error(429), "quota"),
    ("500", error(500), "the API has trouble of its own"),
    ("503", error(503), "the API has trouble of its own"),
    ("504", error(504), "the API has trouble of its own"),
    ("drop", drop(), "the connection broke"),
    ("reset", reset(after=20), "the connection broke"),
    ("reset-in-body", normal(reset_after=10), "the connection broke"),
    ("huge", huge(100_000_000), "the answer is larger than any"),
    ("not-json", raw(b"<html>hello</html>"), "the API's answer makes no sense"),
    ("half-json", raw(b'{"name": '), "the API's answer makes no sense"),
    ("wrong-shape", raw(b"[1, 2, 3]"), "the API's answer makes no sense"),
    ("no-name", raw(b'{"profileType": "CPU", "duration": "1s"}'), "the API's answer makes no"),
    (
        "other-type",
        raw(
            b'{"name": "projects/lab-project/profiles/00", "profileType": "ya29.standin-sa-1",'
            b' "duration": "1s"}'
        ),
        'asks for a profile of type "[...]", which was not offered',
    ),
    (
        "absurd-duration",
        raw(
            b'{"name": "projects/lab-project/profiles/00", "profileType": "CPU",'
            b' "duration": "36000s"}'
        ),
        "the API's answer makes no sense",
    ),
    (
        "other-path",
        raw(
            b'{"name": "projects/lab-project/profiles/../../../x", "profileType": "CPU",'
            b' "duration": "1s"}'
        ),
        "the API's answer makes no sense",
    ),
    ("redirect", redirect("http://localhost:1/"), "which is not followed"),
]


def each_call_is_answered():
    return BackToBack(["CPU"], "0.5s")


@pytest.fixture
def cloud(make_uwsgi, standin, tmp_path):
    def make(**options):
        return make_uwsgi(
            **upload_options(standin, tmp_path, **LOCAL_OFF)
            | {"cloudprofiler_verbose": 3}
            | options
        )

    return make


def recovers(server, standin):
    """A profile arrives once the other side is well."""
    standin.release("CPU", "0.5s")
    with server.some_work():
        assert standin.wait_for_uploads(1)


def no_secret_is_logged(server, standin):
    log = server.log
    assert "ya29" not in log
    assert "PRIVATE KEY" not in log
    assert not re.search(r"eyJ[A-Za-z0-9_-]{20}", log), "a JWT"
    for token in standin.tokens.given:
        assert token not in log


class Met(NamedTuple):
    server: Uwsgi
    standin: StandIn
    warnings: list  # while the fault lasted


@pytest.fixture(scope="module")
def met_faults(make_uwsgi_for_module, tmp_path_factory):
    """For each fault a server that has met it some times, one beside the other for the pauses
    between the tries. All is well again by then, and each server has the next call open."""
    with contextlib.ExitStack() as ends:
        pairs = {}
        for name, step, _said in CREATE_FAULTS:
            directory = tmp_path_factory.mktemp("standin")
            standin = ends.enter_context(StandIn(directory))
            standin.pace = each_call_is_answered()  # for those that spoil a right answer
            standin.always("create", step)
            options = upload_options(standin, directory, **LOCAL_OFF)
            server = make_uwsgi_for_module(**options, cloudprofiler_verbose=3).launch()
            pairs[name] = server, standin
        met = {}
        for name, (server, standin) in pairs.items():
            with contextlib.suppress(AssertionError):  # which is that fault's test's to say
                standin.wait_for_requests("create", TRIES)
            met[name] = Met(server, standin, server.our_warnings)
            standin.pace = Hold()
            standin.unscript()
        yield met


@pytest.mark.parametrize(
    ("name", "said"), [(f[0], f[2]) for f in CREATE_FAULTS], ids=[f[0] for f in CREATE_FAULTS]
)
def test_a_create_that_fails_is_told_once_and_tried_again(met_faults, name, said):
    server, standin, warnings = met_faults[name]

    assert len(standin.requests_of("create")) >= TRIES
    assert len(warnings) == 1, warnings
    assert said in warnings[0]
    # Not one answer alone: the call that hangs may be the last one with the fault.
    standin.pace = each_call_is_answered()
    with server.some_work():
        assert standin.wait_for_uploads(1)
    server.wait_for_log("Cloud Profiler takes profiles")
    no_secret_is_logged(server, standin)
    server.stop()


@pytest.mark.parametrize("details", [True, False], ids=["details", "message only"])
def test_a_delay_that_the_server_orders_is_kept_and_no_trouble(cloud, standin, details):
    standin.script("create", *[error(409, delay="1.5s", details=details)] * 2)
    server = cloud().start()

    recovers(server, standin)
    first, second = [r.at_s for r in standin.requests_of("create")][:2]

    assert second - first >= 1.5
    assert server.our_warnings == []
    assert "next try in 2 s" in server.log or "next try in 1 s" in server.log


@pytest.mark.parametrize(
    "step",
    [normal(chunked=True), normal(gzip=True), normal(byte_every_s=0.01)],
    ids=["chunked", "gzip", "slow"],
)
def test_an_unusual_but_sound_answer_is_taken(cloud, standin, step):
    standin.always("create", step)
    server = cloud().start()

    recovers(server, standin)

    assert server.our_warnings == []


def test_an_update_is_sent_again_while_its_name_is_good(cloud, standin):
    standin.script("update", error(503), drop(), error(429))
    server = cloud().start()
    standin.release("CPU", "0.5s")

    with server.some_work():
        standin.wait_for_uploads(1)

    assert len(standin.requests_of("update")) >= 4
    assert standin.problems == []


def test_a_profile_that_waits_when_uploads_are_switched_off_is_counted(cloud, standin):
    standin.always("update", error(503))
    server = cloud(cloudprofiler_http="127.0.0.1:0", cloudprofiler_http_token=TOKEN).start()
    endpoint = Endpoint(server)
    standin.release("CPU", "0.5s")
    with server.some_work():
        standin.wait_for_answers("update", 1)

    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert endpoint.ask("/actions/upload", "POST", "value=off", **form).status == 200
    server.wait_for_log("1 profile is not sent any more")

    assert endpoint.ask("/actions/upload", "POST", "value=on", **form).status == 200
    assert endpoint.status()["uploads"]["failed"] == 1


@pytest.mark.parametrize(
    "step", [error(400), error(403), error(404), redirect("http://localhost:1/")]
)
def test_an_update_that_cannot_work_is_dropped(cloud, standin, step):
    standin.script("update", step)
    server = cloud().start()
    standin.release("CPU", "0.5s")

    with server.some_work():
        server.wait_for_log("a profile is dropped")
    standin.unscript()
    recovers(server, standin)

    assert len(standin.requests_of("update")) == 2


def test_a_token_that_expired_is_renewed_within_the_call(cloud, standin):
    server = cloud().start()
    standin.wait_for_hanging(1)
    standin.expire_tokens()
    standin.release("CPU", "0.5s")

    with server.some_work():
        standin.wait_for_answers("update", 2)

    assert [request.status for request in standin.requests_of("update")] == [401, 200]
    assert len(standin.uploads) == 1
    assert server.our_warnings == []


@pytest.mark.parametrize("certificate", ["other name", "expired", "unknown CA"])
def test_a_certificate_that_is_not_right_is_not_trusted(
    make_uwsgi, make_standin, tmp_path, certificate
):
    standin = make_standin(certificate=certificate)
    options = upload_options(standin, tmp_path, **LOCAL_OFF) | {
        "cloudprofiler_credentials": None,
        "cloudprofiler_disable_metadata": None,
    }
    server = make_uwsgi(env={"GCE_METADATA_HOST": standin.metadata_host}, **options).start()

    server.wait_for_log("the server's certificate is not trusted")

    assert standin.requests_of("create") == []


@pytest.mark.parametrize("certificate", ["other name", "expired", "unknown CA"])
def test_the_token_endpoint_must_be_trusted_too(make_uwsgi, make_standin, tmp_path, certificate):
    standin = make_standin(certificate=certificate)
    server = make_uwsgi(**upload_options(standin, tmp_path, **LOCAL_OFF)).start()

    server.wait_for_log("no access token: .*certificate")

    assert standin.requests == []


def test_nobody_listens(cloud, standin):
    standin.refuse()
    server = cloud().start()
    server.wait_for_log("cannot be reached|no access token")

    standin.listen()

    recovers(server, standin)


def test_a_name_that_does_not_resolve(cloud):
    server = cloud(
        cloudprofiler_api_endpoint="https://no-such-host.invalid",
    ).start()

    server.wait_for_log("does not resolve")


def test_a_create_that_hangs_is_ended_by_a_stop(cloud, standin):
    standin.always("create", hang())
    server = cloud().start()
    standin.wait_for_requests("create")

    server.stop()


def test_the_server_that_stays_away_costs_no_local_profile(make_uwsgi, standin, tmp_path):
    standin.refuse()
    server = make_uwsgi(**upload_options(standin, tmp_path)).start()

    with server.some_work():
        server.wait_for_profiles(4)

    assert len(server.our_warnings) == 1
