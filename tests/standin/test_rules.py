"""What the stand-in refuses: each rule is broken once, and everything else is right.

SPDX-License-Identifier: MIT
"""

import base64
import json

import pytest

from . import error, rules
from .client import DEPLOYMENT, PROFILES, Client, create_document, message, packed
from .tokens import PROJECT

LONG_LABELS = {f"label-{i}": "v" * 250 for i in range(4)}


def deployment(**over):
    found = {**DEPLOYMENT, **over}
    return {"deployment": {name: value for name, value in found.items() if value is not None}}


def labels(**more):
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return deployment(labels={**DEPLOYMENT["labels"], **named})


@pytest.fixture
def client(standin):
    client = Client(standin)
    yield client
    client.close()


@pytest.fixture
def created(standin, client):
    """The answer to a create call, for a CPU profile."""
    standin.release("CPU", "10s", extra={"labels": {"from-server": "x"}, "unknownField": "keep"})
    return client.create().json


def profile_bytes():
    return base64.b64encode(packed(message())).decode()


def update(client, created, *, query="", **over):
    document = {**created, "profileBytes": profile_bytes(), **over}
    document = {name: value for name, value in document.items() if value is not None}
    return client.call("PATCH", f"/v2/{created['name']}{query}", document)


def test_a_right_create_call_and_update_are_accepted(standin, client, created):
    answer = update(client, created, labels={"instance": "vm-1"})

    assert answer.status == 200 and not standin.problems
    assert standin.uploads[0].labels == {"instance": "vm-1"}
    assert created["profileType"] == "CPU" and created["duration"] == "10s"
    assert len(created["name"].rsplit("/", 1)[1]) == 16


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"deployment": None}, "projectId"),
        ({"deployment": "shop"}, "deployment"),
        (deployment(projectId="another-project"), "project of the path"),
        (deployment(projectId="Lab"), "projectId"),
        (deployment(target=None), "target"),
        (deployment(target="Shop"), "target"),
        (deployment(target="s" * 256), "target"),
        (deployment(target="shop-"), "target"),
        (deployment(labels=None), "language"),
        (deployment(zone="a"), "Unknown name"),
        (labels(language="cobol"), "language"),
        (labels(Upper="a"), "label name"),
        (labels(number=1), "no string"),
        (labels(version="v" * 513), "512 bytes"),
        (deployment(labels={"language": "python", **LONG_LABELS}), "1024 bytes"),
        ({"profileType": None}, "profileType is empty"),
        ({"profileType": []}, "profileType is empty"),
        ({"profileType": "CPU"}, "profileType"),
        ({"profileType": ["cpu"]}, "'cpu'"),
        ({"profileType": ["PROFILE_TYPE_UNSPECIFIED"]}, "UNSPECIFIED"),
        ({"profileType": ["CPU", "CPU"]}, "twice"),
        ({"parent": "projects/lab-project"}, "Unknown name"),
    ],
)
def test_a_create_call_that_breaks_a_rule_is_refused(standin, client, over, words):
    answer = client.create(**over)

    assert answer.status == 400
    assert answer.error["status"] == "INVALID_ARGUMENT"
    assert words in answer.error["message"]
    assert words in standin.problems[0]


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, 400, "Content-Type"),
        ({"content-type": None}, 400, "Content-Type"),
        ({"user-agent": None}, 400, "User-Agent"),
        ({"user-agent": "curious"}, 400, "User-Agent"),
        ({"content-encoding": "gzip"}, 400, "encoded"),
        ({"accept": "text/html"}, 400, "Accept"),
        ({"x-goog-api-client": "gl-python"}, 400, "x-goog-api-client"),
        ({"x-goog-api-format-version": "3"}, 400, "format-version"),
        ({"cookie": "a=b"}, 400, "cookie"),
        ({"authorization": None}, 401, "missing"),
        ({"authorization": "Basic abc"}, 401, "missing"),
        ({"authorization": "Bearer ya29.unknown"}, 401, "invalid authentication"),
    ],
)
def test_a_wrong_header_is_refused(standin, client, headers, status, words):
    answer = client.call("POST", PROFILES, create_document(), headers=headers)

    assert answer.status == status
    assert words in standin.problems[0]


def test_a_body_without_a_length_is_refused(client):
    chunk = json.dumps(create_document()).encode()
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(chunk), chunk)

    chunked = {"content-length": None, "transfer-encoding": "chunked"}
    answer = client.call("POST", PROFILES, None, headers=chunked, body=body)

    assert answer.status == 411


def test_a_body_over_the_limit_is_refused(client, monkeypatch):
    monkeypatch.setattr(rules, "BODY_BYTES_MAX", 100)

    assert "too large" in client.create().error["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"[]", "no JSON object"),
        (b"\xff", "Invalid JSON"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"profileType": [], "profileType": []}', "twice"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client, body, words):
    answer = client.call("POST", PROFILES, None, body=body)

    assert answer.status == 400 and words in answer.error["message"]


def test_an_answer_in_another_form_is_not_given(client):
    answer = client.call("POST", PROFILES + "?alt=proto", create_document())

    assert answer.status == 400 and "alt" in answer.error["message"]


def test_an_unknown_query_parameter_is_refused(client):
    answer = client.call("POST", PROFILES + "?wait=1", create_document())

    assert answer.status == 400 and "query parameter" in answer.error["message"]


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"name": "projects/lab-project/profiles/0123456789abcdef"}, "name"),
        ({"profileType": "WALL"}, "profileType"),
        ({"duration": "11s"}, "duration"),
        (deployment(target="other"), "deployment"),
        ({"unknownField": "changed"}, "unknownField"),
        ({"ownField": "new"}, "Unknown name"),
        ({"labels": {"Instance": "a"}}, "label name"),
        ({"labels": {"instance": "v" * 513}}, "512 bytes"),
        ({"labels": LONG_LABELS}, "1024 bytes"),
        ({"profileBytes": None}, "missing"),
        ({"profileBytes": 1}, "profileBytes"),
        ({"profileBytes": "AAAA\nAAAA"}, "profileBytes"),
        ({"profileBytes": "H4s-_w=="}, "profileBytes"),
        ({"profileBytes": base64.b64encode(b"plain").decode()}, "profileBytes"),
    ],
)
def test_an_update_that_breaks_a_rule_is_refused(standin, client, created, over, words):
    answer = update(client, created, **over)

    assert answer.status == 400
    assert words in answer.error["message"]
    assert not standin.uploads


def test_a_refused_update_leaves_the_name_good(standin, client, created):
    assert update(client, created, profileBytes=None).status == 400

    assert update(client, created).status == 200


def test_a_name_is_good_for_one_upload(client, created):
    assert update(client, created).status == 200

    answer = update(client, created)

    assert answer.status == 400
    name = created["name"]
    assert answer.error["message"] == f"generic::invalid_argument: invalid profile name: {name}"


def test_a_name_that_was_never_given_is_refused(client, created):
    stranger = {**created, "name": f"projects/{PROJECT}/profiles/0123456789abcdef"}

    assert update(client, stranger).status == 400


def test_a_forgotten_name_is_refused(standin, client, created):
    standin.forget_names()

    assert update(client, created).status == 400


def test_an_update_mask_chooses_the_fields_that_count(standin, client, created):
    answer = update(client, created, query="?updateMask=profileBytes", labels={"instance": "a"})

    assert answer.status == 200
    assert standin.uploads[0].labels == {"from-server": "x"}


def test_an_update_mask_with_another_field_is_refused(client, created):
    answer = update(client, created, query="?updateMask=profileBytes,duration")

    assert answer.status == 400 and "duration" in answer.error["message"]


def offline(client, **over):
    document = {
        "profileType": "CPU",
        "deployment": DEPLOYMENT,
        "duration": "10s",
        "profileBytes": profile_bytes(),
        **over,
    }
    return client.call("POST", PROFILES + ":createOffline", document)


def test_an_offline_profile_is_accepted_and_cannot_be_updated(standin, client):
    answer = offline(client)

    assert answer.status == 200 and len(standin.uploads) == 1
    assert update(client, answer.json).status == 400


@pytest.mark.parametrize(
    "over", [{"profileType": "cpu"}, {"duration": "ten"}, {"profileBytes": ""}]
)
def test_an_offline_profile_that_breaks_a_rule_is_refused(client, over):
    assert offline(client, **over).status == 400


def test_the_delay_has_a_field_only_with_the_second_error_format(standin, client):
    standin.script("create", *[error(409, delay="1980s")] * 2)

    new = client.create().error
    old = client.call(
        "POST", PROFILES, create_document(), headers={"x-goog-api-format-version": None}
    ).error

    assert new["details"][0]["retryDelay"] == "1980s" and "errors" not in new
    assert "details" not in old
    assert old["errors"][0]["message"].endswith("action throttled, backoff for 33m0s")
