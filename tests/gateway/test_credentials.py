"""The gateway's credentials against the stand-in's endpoints: every kind of key file, what becomes
of tokens, what the operator is told, and the metadata server.

SPDX-License-Identifier: MIT
"""

import json

import pytest
from standin import drop, error, hang, normal, raw
from standin.tokens import REFRESH_TOKEN, SCOPES, SUBJECT_TOKEN, private_key_pem
from testenv.credentials_tool import CredentialsTool


@pytest.fixture
def key_path(tmp_path):
    return tmp_path / "key.json"


@pytest.fixture
def tool(standin):
    """Starts the program for a key file."""
    return lambda key="", **environment: CredentialsTool(standin.ca_file, key, **environment)


def check_token(standin, token, scope="monitoring.write"):
    """The stand-in gave it, for this scope."""
    assert SCOPES + scope in standin.tokens.scopes_of(token)
    assert standin.problems == []


def oauth_error(code, description="", status=400, **more):
    body = json.dumps({"error": code, "error_description": description, **more})
    return raw(body.encode(), status=status)


# Every kind of credentials


def test_a_service_account_signs_for_its_token(standin, tool, key_path):
    with tool(standin.keys.service_account(key_path)) as credentials:
        check_token(standin, credentials.token())
        assert credentials.ask("project") == {"project": "lab-project", "error": ""}

    # The stand-in has verified signature and claims with the public key.
    assert [request.call for request in standin.requests] == ["token"]


@pytest.mark.parametrize("over", [{"private_key_id": None}, {"project_id": None}])
def test_a_service_account_may_leave_out_what_is_not_needed(standin, tool, key_path, over):
    with tool(standin.keys.service_account(key_path, **over)) as credentials:
        check_token(standin, credentials.token())


def test_an_authorized_user_shows_the_refresh_token(standin, tool, key_path):
    key = standin.keys.authorized_user(key_path, quota_project_id="quota")
    with tool(key) as credentials:
        answer = credentials.ask("get")

    assert answer["quota_project"] == "quota"
    check_token(standin, answer["token"], "cloud-platform")


@pytest.mark.parametrize("impersonate", [False, True])
@pytest.mark.parametrize("json_field", [None, "access_token"])
@pytest.mark.parametrize("source", ["file", "url"])
def test_an_external_account_has_its_token_exchanged(
    standin, tool, key_path, tmp_path, source, json_field, impersonate
):
    subject = tmp_path / "subject" if source == "file" else None
    key = standin.keys.external_account(
        key_path, subject_file=subject, json_field=json_field, impersonate=impersonate
    )
    with tool(key) as credentials:
        check_token(standin, credentials.token())

    steps = ["subject_token"] * (source == "url") + ["sts"] + ["impersonation"] * impersonate
    assert [request.call for request in standin.requests] == steps


@pytest.mark.parametrize("source", ["authorized_user", "service_account"])
def test_an_account_is_impersonated(standin, tool, key_path, source):
    key = standin.keys.impersonated_service_account(key_path, source=source)
    with tool(key) as credentials:
        check_token(standin, credentials.token())

    assert [request.call for request in standin.requests] == ["token", "impersonation"]
    assert standin.requests[1].json["lifetime"] == "3600s"


def test_the_metadata_server_gives_the_token_of_the_machine(standin, tool):
    with tool(GCE_METADATA_HOST=standin.metadata_host) as credentials:
        check_token(standin, credentials.token())


def test_the_search_finds_the_variable_before_the_well_known_file(standin, tool, tmp_path):
    config = tmp_path / "gcloud"
    config.mkdir()
    standin.keys.service_account(
        config / "application_default_credentials.json", project_id="well-known"
    )
    named = standin.keys.service_account(tmp_path / "named.json", project_id="named")

    with tool(CLOUDSDK_CONFIG=str(config)) as credentials:
        assert credentials.ask("project") == {"project": "well-known", "error": ""}
    with tool(
        CLOUDSDK_CONFIG=str(config), GOOGLE_APPLICATION_CREDENTIALS=str(named)
    ) as credentials:
        assert credentials.ask("project") == {"project": "named", "error": ""}
    assert standin.requests == []


def test_a_named_file_that_is_missing_is_no_reason_to_look_elsewhere(standin, tool, tmp_path):
    missing = tmp_path / "missing.json"
    with tool(missing, GCE_METADATA_HOST=standin.metadata_host) as credentials:
        assert credentials.error() == f"key file {missing} does not exist"
    assert standin.requests == []


def test_nothing_at_all_says_where_was_looked(tool):
    with tool() as credentials:
        text = credentials.error()

    assert "cloudprofiler-credentials" in text and "GOOGLE_APPLICATION_CREDENTIALS" in text
    assert ".config/gcloud/application_default_credentials.json" in text


def test_the_quota_project_of_the_environment_goes_first(standin, tool, key_path):
    key = standin.keys.authorized_user(key_path, quota_project_id="quota")
    with tool(key, GOOGLE_CLOUD_QUOTA_PROJECT="first") as credentials:
        assert credentials.ask("get")["quota_project"] == "first"


# The life of a token


def test_a_token_is_asked_for_once_and_again_when_it_was_refused(standin, tool, key_path):
    with tool(standin.keys.service_account(key_path)) as credentials:
        first = credentials.token()
        assert credentials.token() == first
        assert len(standin.requests_of("token")) == 1
        credentials.ask("drop")
        assert credentials.token() != first


def test_a_token_is_renewed_ahead_of_its_end(standin, tool, key_path):
    # By 3 min 45 s of its 3599 s, less what the test itself takes.
    with tool(standin.keys.service_account(key_path)) as credentials:
        first = credentials.token()
        credentials.ask("later 3300")
        assert credentials.token() == first
        credentials.ask("later 75")
        assert credentials.token() != first


def test_a_token_that_cannot_be_renewed_is_used_while_it_lives(standin, tool, key_path):
    with tool(standin.keys.service_account(key_path)) as credentials:
        standin.tokens.lifetime_s = 200
        token = credentials.token()
        standin.always("token", oauth_error("invalid_grant", "Account disabled"))
        assert credentials.token() == token
        credentials.ask("later 171")
        assert "Account disabled" in credentials.error()


def test_a_new_refresh_token_replaces_the_old_one(standin, tool, key_path):
    renewed = json.dumps({"access_token": "a", "expires_in": 10, "refresh_token": "1//second"})
    standin.script("token", raw(renewed.encode()))
    with tool(standin.keys.authorized_user(key_path)) as credentials:
        credentials.token()
        credentials.ask("drop")
        credentials.error()

    bodies = [request.body for request in standin.requests_of("token")]
    assert b"refresh_token=1%2F%2Frefresh" in bodies[0]
    assert b"refresh_token=1%2F%2Fsecond" in bodies[1]


def test_a_rotated_key_is_read_at_the_next_token(standin, tool, key_path):
    with tool(standin.keys.service_account(key_path)) as credentials:
        credentials.token()
        other = standin.keys.authorized_user(key_path.with_suffix(".new"))
        other.rename(key_path)
        credentials.ask("drop")
        check_token(standin, credentials.token(), "cloud-platform")


def test_a_subject_token_is_read_afresh_each_time(standin, tool, key_path, tmp_path):
    subject = tmp_path / "subject"
    with tool(standin.keys.external_account(key_path, subject_file=subject)) as credentials:
        credentials.token()
        subject.unlink()
        credentials.ask("drop")
        assert credentials.error() == f"subject token file {subject} does not exist"


# Failures


def test_a_failure_that_may_pass_is_tried_again(standin, tool, key_path):
    standin.script("token", error(503), drop())
    with tool(standin.keys.service_account(key_path)) as credentials:
        assert credentials.token() in standin.tokens.given

    assert len(standin.requests_of("token")) == 3


def test_three_tries_are_made(standin, tool, key_path):
    standin.always("token", error(503))
    with tool(standin.keys.service_account(key_path)) as credentials:
        text = credentials.error()

    assert "the token endpoint localhost:" in text and "status 503" in text
    assert len(standin.requests_of("token")) == 3


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        (oauth_error("invalid_grant", "Invalid JWT Signature."), "(Invalid JWT Signature.); was"),
        (oauth_error("invalid_client", "", 401), "refused the key of"),
        (raw(b"<html>", status=404), "answered with status 404"),
        (raw(b"", status=302), "answered with status 302"),
        (raw(b"no JSON"), "its answer is not a JSON object"),
        (raw(b"[]"), "its answer is not a JSON object"),
        (raw(b'{"access_token": 7}'), 'no sound "access_token"'),
        (raw(b'{"access_token": "a", "expires_in": "x"}'), '"expires_in"'),
        (raw(b" " * 100_000), "no answer of the token endpoint"),
    ],
)
def test_an_answer_that_is_no_token_is_told_once(standin, tool, key_path, reply, wanted):
    standin.always("token", reply)
    key = standin.keys.service_account(key_path)
    with tool(key) as credentials:
        text = credentials.error()

    assert wanted in text and "the token endpoint localhost:" in text
    assert len(standin.requests_of("token")) == 1


def test_each_server_is_named_that_refuses(standin, tool, key_path, tmp_path):
    key = standin.keys.external_account(key_path, impersonate=True)
    refusals = {
        "subject_token": "the source of the subject token, localhost:",
        "sts": f"refused the subject token of {key}",
        "impersonation": "roles/iam.serviceAccountTokenCreator",
    }
    for call, wanted in refusals.items():
        standin.unscript()
        standin.always(call, error(403, message="No."))
        with tool(key) as credentials:
            text = credentials.error()
        assert wanted in text and "PERMISSION_DENIED (No.)" in text


def test_a_refused_user_is_told_how_to_renew(standin, tool, key_path):
    key = standin.keys.authorized_user(key_path, refresh_token="1//revoked")
    with tool(key) as credentials:
        text = credentials.error()

    assert f"refused the refresh token of {key}: invalid_grant" in text
    assert "gcloud auth application-default login" in text


@pytest.mark.parametrize(("offset_s", "word"), [(7200, "behind"), (-900, "ahead of")])
def test_a_wrong_clock_is_named(make_standin, key_path, offset_s, word):
    standin = make_standin(clock_offset_s=offset_s)
    key = standin.keys.service_account(key_path)
    with CredentialsTool(standin.ca_file, key) as credentials:
        answer = credentials.ask("get")

    assert "invalid_grant" in answer["error"]
    assert f"s {word} the server's: set it right" in answer["error"]
    assert abs(answer["skew_s"] + offset_s) <= 30


def test_an_impersonated_token_does_not_depend_on_the_clock(make_standin, key_path):
    standin = make_standin(clock_offset_s=-7200)
    key = standin.keys.impersonated_service_account(key_path)
    with CredentialsTool(standin.ca_file, key) as credentials:
        token = credentials.token()
        assert credentials.token() == token


def test_an_endpoint_without_a_trusted_certificate_gets_no_key(make_standin, key_path):
    standin = make_standin(certificate="unknown CA")
    key = standin.keys.service_account(key_path)
    with CredentialsTool(standin.ca_file, key) as credentials:
        assert "no answer of the token endpoint" in credentials.error()
    assert standin.requests == []


@pytest.mark.parametrize("kind", ["service_account", "authorized_user", "external_account"])
def test_what_a_server_echoes_is_not_told(standin, tool, key_path, tmp_path, kind):
    """A server may quote what it refuses; neither the error nor the log may."""
    key = getattr(standin.keys, kind)(
        key_path, **({"subject_file": tmp_path / "subject"} if kind == "external_account" else {})
    )
    call = "sts" if kind == "external_account" else "token"
    secrets = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "GOCSPX-abcdefghijklmnopqrstuvwx", SUBJECT_TOKEN]
    standin.always(call, oauth_error("invalid_grant", " ".join(secrets)))
    with tool(key) as credentials:
        told = credentials.error() + credentials.log()

    assert "invalid_grant" in told
    assert not [secret for secret in secrets if secret in told]
    assert private_key_pem().splitlines()[1] not in told and REFRESH_TOKEN not in told


def test_the_end_does_not_wait_for_an_answer(standin, tool, key_path):
    standin.always("token", hang())
    with tool(standin.keys.service_account(key_path)) as credentials:
        credentials.say("get")
        standin.wait_for_requests("token")


# The metadata server


def test_the_metadata_server_says_where_we_are(standin, tool):
    with tool(GCE_METADATA_HOST=standin.metadata_host) as credentials:
        place = credentials.ask("place")
        assert credentials.ask("place") == place

    assert place == {
        "on_google_cloud": True,
        "project_id": "lab-project",
        "zone": "us-central1-a",
        "instance": "lab-vm-1",
    }
    assert len(standin.requests_of("metadata")) == 3
    assert standin.problems == []


def test_what_the_metadata_server_does_not_know_is_left_out(standin, tool):
    standin.metadata.zone = None
    standin.metadata.name = "two\nlines"
    with tool(GCE_METADATA_HOST=standin.metadata_host) as credentials:
        place = credentials.ask("place")

    assert (place["project_id"], place["zone"], place["instance"]) == ("lab-project", "", "")


def test_a_server_without_the_flavor_is_another_one(standin, tool):
    standin.metadata.says_flavor = False
    with tool(GCE_METADATA_HOST=standin.metadata_host) as credentials:
        assert credentials.ask("place")["on_google_cloud"] is False
        assert "no credentials" in credentials.error()

    assert len(standin.requests_of("metadata")) == 1


@pytest.mark.parametrize("fault", ["refused", "hang", "drop"])
def test_an_absent_metadata_server_is_found_out_in_one_try(standin, tool, fault):
    if fault == "refused":
        standin.refuse("metadata")
    else:
        standin.always("metadata", hang() if fault == "hang" else drop())
    with tool(GCE_METADATA_HOST=standin.metadata_host) as credentials:
        assert credentials.ask("place")["on_google_cloud"] is False
        standin.unscript()
        standin.listen("metadata")
        assert credentials.ask("place")["on_google_cloud"] is False

    assert len(standin.requests_of("metadata")) == (0 if fault == "refused" else 1)


def test_a_metadata_server_may_come_later(standin, tool):
    standin.refuse("metadata")
    with tool(GCE_METADATA_HOST=standin.metadata_host) as credentials:
        assert "no credentials" in credentials.error()
        standin.listen("metadata")
        assert "no credentials" in credentials.error()
        credentials.ask("later 60")
        check_token(standin, credentials.token())
        assert credentials.ask("place")["zone"] == "us-central1-a"


def test_a_metadata_server_may_be_ready_later(standin, tool):
    standin.script("metadata", normal(), error(403), normal())
    with tool(GCE_METADATA_HOST=standin.metadata_host) as credentials:
        assert credentials.ask("place")["zone"] == ""
        assert credentials.ask("place")["zone"] == ""
        credentials.ask("later 60")
        assert credentials.ask("place")["zone"] == "us-central1-a"
        credentials.ask("later 60")
        assert credentials.ask("place")["zone"] == "us-central1-a"

    assert len(standin.requests_of("metadata")) == 6


def test_a_metadata_server_that_is_there_is_asked_again(standin, tool):
    standin.script("metadata", normal(), error(503), normal(), normal())
    with tool(GCE_METADATA_HOST=standin.metadata_host) as credentials:
        assert credentials.ask("place")["zone"] == "us-central1-a"


@pytest.mark.parametrize("value", ["true", "True"])
def test_the_look_can_be_spared(standin, tool, value):
    with tool(GCE_METADATA_HOST=standin.metadata_host, NO_GCE_CHECK=value) as credentials:
        assert credentials.ask("place")["on_google_cloud"] is False
        assert "no credentials" in credentials.error()

    assert standin.requests == []


def test_a_machine_without_a_service_account_says_so(standin, tool):
    standin.metadata.email = None
    with tool(GCE_METADATA_HOST=standin.metadata_host) as credentials:
        assert "this machine has no service account" in credentials.error()


def test_proxies_are_not_for_the_metadata_server(standin, tool):
    with tool(
        GCE_METADATA_HOST=standin.metadata_host, http_proxy="http://127.0.0.1:1"
    ) as credentials:
        assert credentials.ask("place")["on_google_cloud"] is True
