"""The token endpoints: what each kind of credentials gets, and what is refused.

SPDX-License-Identifier: MIT
"""

import json
import time
import urllib.parse

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from . import tokens
from .client import PROFILES, Client, create_document
from .replay import sign, with_padding

IMPERSONATE = f"/v1/projects/-/serviceAccounts/{tokens.ACCOUNT}:generateAccessToken"


@pytest.fixture
def auth(standin):
    client = Client(standin, standin.auth_url)
    yield client
    client.close()


def claims(**over):
    now = int(time.time())
    right = {
        "iss": tokens.ACCOUNT,
        "aud": tokens.TOKEN_AUDIENCES[0],
        "scope": tokens.WRITE_SCOPE,
        "iat": now,
        "exp": now + 3600,
    }
    return {name: value for name, value in {**right, **over}.items() if value is not None}


def _now(seconds):
    return int(time.time()) + seconds


def ask(auth, assertion, grant=tokens.JWT_GRANT):
    form = urllib.parse.urlencode({"grant_type": grant, "assertion": assertion})
    return auth.post_form("/token", form)


def bearer_status(standin, token):
    """What the API says to a create call with this token: 200 when it is let in."""
    client = Client(standin)
    standin.release()
    answer = client.call(
        "POST", PROFILES, create_document(), headers={"authorization": f"Bearer {token}"}
    )
    client.close()
    return answer.status


@pytest.mark.parametrize("audience", [*tokens.TOKEN_AUDIENCES, "own"])
def test_a_signed_assertion_gets_a_token_that_the_api_takes(standin, auth, audience):
    own = f"{standin.auth_url}/token"
    answer = ask(auth, sign(claims(aud=own if audience == "own" else audience)))

    assert answer.status == 200 and answer.json["token_type"] == "Bearer"
    assert bearer_status(standin, answer.json["access_token"]) == 200
    assert not standin.problems


def test_an_assertion_with_padding_is_taken(auth):
    assert ask(auth, with_padding(sign(claims()))).status == 200


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"iss": "other@lab-project.iam.gserviceaccount.com"}, "account not found"),
        ({"aud": "https://example.com/token"}, "audience"),
        ({"aud": None}, "audience"),
        ({"scope": None}, "scope"),
        ({"scope": "everything"}, "scope"),
        # Numbers are seconds from the moment at which the test runs.
        ({"iat": 1200, "exp": 4000}, "short-lived"),
        ({"iat": -7200, "exp": -3600}, "short-lived"),
        ({"exp": 7300}, "short-lived"),
        ({"iat": None}, "whole numbers"),
        ({"exp": "4000000000"}, "whole numbers"),
    ],
)
def test_an_assertion_with_wrong_claims_is_refused(auth, over, words):
    now = {name: _now(value) if isinstance(value, int) else value for name, value in over.items()}

    answer = ask(auth, sign(claims(**now)))

    assert answer.status == 400
    assert words in answer.json["error_description"]


def test_an_assertion_signed_with_another_key_is_refused(auth):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = jwt.encode(claims(), stranger, algorithm="RS256", headers={"kid": tokens.KEY_ID})

    answer = ask(auth, token)

    assert answer.status == 400 and answer.json["error"] == "invalid_grant"


def test_an_assertion_without_a_signature_is_refused(auth):
    assert ask(auth, jwt.encode(claims(), None, algorithm="none")).status == 400


def test_an_assertion_that_names_another_key_is_refused(auth):
    assert ask(auth, sign(claims(), header={"kid": "ff"})).status == 400


def test_an_unknown_grant_is_refused(auth):
    assert ask(auth, sign(claims()), grant="password").json["error"] == "unsupported_grant_type"


def test_a_clock_that_is_off_shows_in_the_date_and_the_refusal(make_standin):
    standin = make_standin(clock_offset_s=7200)
    auth = Client(standin, standin.auth_url)

    answer = ask(auth, sign(claims()))

    assert answer.status == 400 and "timeframe" in answer.json["error_description"]
    date = time.strptime(answer.headers["date"], "%a, %d %b %Y %H:%M:%S GMT")
    assert abs(time.mktime(date) - time.mktime(time.gmtime()) - 7200) < 60


@pytest.mark.parametrize("claim", [{"scope": tokens.WRITE_SCOPE}, {"aud": tokens.API_AUDIENCE}])
def test_a_self_signed_token_is_let_in(standin, claim):
    token = sign({**claims(aud=None, scope=None), "sub": tokens.ACCOUNT, **claim})

    assert bearer_status(standin, token) == 200


@pytest.mark.parametrize(
    "claim",
    [
        {"sub": tokens.ACCOUNT},
        {"sub": tokens.ACCOUNT, "scope": tokens.WRITE_SCOPE, "aud": tokens.API_AUDIENCE},
        {"aud": tokens.API_AUDIENCE},
        {"sub": tokens.ACCOUNT, "aud": "https://example.com/"},
        {
            "sub": tokens.ACCOUNT,
            "scope": tokens.WRITE_SCOPE,
            "exp": _now(-3000),
            "iat": _now(-6000),
        },
    ],
)
def test_a_self_signed_token_that_breaks_a_rule_is_not(standin, claim):
    assert bearer_status(standin, sign({**claims(aud=None, scope=None), **claim})) == 401


def test_expired_tokens_are_refused(standin, auth):
    given = ask(auth, sign(claims())).json["access_token"]
    standin.tokens.lifetime_s = -1
    late = ask(auth, sign(claims())).json["access_token"]
    standin.tokens.lifetime_s = 3599

    assert bearer_status(standin, late) == 401
    standin.expire_tokens()
    assert bearer_status(standin, given) == 401


def test_a_token_of_another_scope_is_refused(standin, auth):
    other = tokens.SCOPES + "devstorage.read_only"
    token = ask(auth, sign(claims(scope=other))).json["access_token"]

    assert bearer_status(standin, token) == 403


# The key files, walked through as a client would


def _user_form(document, **over):
    form = {
        "grant_type": "refresh_token",
        **{name: document[name] for name in ("client_id", "client_secret", "refresh_token")},
        **over,
    }
    return urllib.parse.urlencode(form)


def test_a_user_file_gets_a_token(standin, auth, tmp_path):
    path = standin.keys.authorized_user(tmp_path / "key.json")

    answer = auth.post_form("/token", _user_form(json.loads(path.read_text())))

    assert bearer_status(standin, answer.json["access_token"]) == 200
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["client_id", "client_secret", "refresh_token"])
def test_a_wrong_user_file_gets_none(standin, auth, tmp_path, name):
    path = standin.keys.authorized_user(tmp_path / "key.json", **{name: "wrong"})

    assert auth.post_form("/token", _user_form(json.loads(path.read_text()))).status in (400, 401)


def exchange(auth, document, given, **over):
    form = {
        "grant_type": tokens.EXCHANGE_GRANT,
        "audience": document["audience"],
        "scope": tokens.WRITE_SCOPE,
        "requested_token_type": tokens.ACCESS_TOKEN_TYPE,
        "subject_token": given,
        "subject_token_type": document["subject_token_type"],
        **over,
    }
    return auth.post_form("/sts", urllib.parse.urlencode(form))


def impersonate(auth, token, path=IMPERSONATE, **over):
    document = {"scope": [tokens.WRITE_SCOPE], "lifetime": "3600s", **over}
    return auth.call("POST", path, document, headers={"authorization": f"Bearer {token}"})


@pytest.mark.parametrize("json_field", [None, "access_token"])
@pytest.mark.parametrize("from_file", [True, False])
def test_a_pool_s_token_is_exchanged(standin, auth, tmp_path, json_field, from_file):
    path = standin.keys.external_account(
        tmp_path / "key.json",
        subject_file=tmp_path / "subject" if from_file else None,
        json_field=json_field,
    )
    document = json.loads(path.read_text())
    source = document["credential_source"]
    if from_file:
        text = (tmp_path / "subject").read_text()
    else:
        target = source["url"].removeprefix(standin.auth_url)
        text = auth.get(target, **source["headers"]).body.decode()
    subject_token = json.loads(text)[json_field] if json_field else text

    answer = exchange(auth, document, subject_token)

    assert answer.json["issued_token_type"] == tokens.ACCESS_TOKEN_TYPE
    assert bearer_status(standin, answer.json["access_token"]) == 200


def test_the_source_of_a_pool_s_token_wants_its_header(auth):
    assert auth.get("/subject-token").status == 400


@pytest.mark.parametrize(
    "over",
    [
        {"audience": "//iam.googleapis.com/other"},
        {"subject_token": "forged"},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"scope": ""},
        {"own": "field"},
    ],
)
def test_a_wrong_exchange_is_refused(standin, auth, tmp_path, over):
    path = standin.keys.external_account(tmp_path / "key.json")

    answer = exchange(auth, json.loads(path.read_text()), tokens.SUBJECT_TOKEN, **over)

    assert answer.status == 400


def test_an_exchanged_token_impersonates(standin, auth, tmp_path):
    path = standin.keys.external_account(tmp_path / "key.json", impersonate=True)
    document = json.loads(path.read_text())
    first = exchange(auth, document, tokens.SUBJECT_TOKEN, scope=tokens.IAM_SCOPE)
    token = first.json["access_token"]
    target = document["service_account_impersonation_url"].removeprefix(standin.auth_url)

    answer = impersonate(auth, token, target, delegates=None)

    assert bearer_status(standin, token) == 403  # it may impersonate and nothing else
    assert bearer_status(standin, answer.json["accessToken"]) == 200
    expires = time.strptime(answer.json["expireTime"], "%Y-%m-%dT%H:%M:%SZ")
    assert 3000 < time.mktime(expires) - time.mktime(time.gmtime()) <= 3600


@pytest.mark.parametrize("source", ["authorized_user", "service_account"])
def test_an_impersonating_file_holds_its_source(standin, tmp_path, source):
    path = standin.keys.impersonated_service_account(tmp_path / "key.json", source=source)

    assert json.loads(path.read_text())["source_credentials"]["type"] == source


@pytest.mark.parametrize(
    ("over", "status"),
    [({"scope": []}, 400), ({"lifetime": "3601s"}, 400), ({"lifetime": "long"}, 400)],
)
def test_a_wrong_impersonation_is_refused(standin, auth, over, status):
    standin.tokens.accept("iam", [tokens.IAM_SCOPE])

    assert impersonate(auth, "iam", **over).status == status


def test_a_strange_account_cannot_be_impersonated(standin, auth):
    standin.tokens.accept("iam", [tokens.IAM_SCOPE])
    path = IMPERSONATE.replace("agent@", "stranger@")

    answer = impersonate(auth, "iam", path)

    assert answer.status == 404 and "account" in answer.error["message"]


def test_only_a_token_for_it_impersonates(standin, auth):
    standin.tokens.accept("write", [tokens.WRITE_SCOPE])

    assert impersonate(auth, "write").status == 403
    assert impersonate(auth, "unknown").status == 401


def test_a_form_is_wanted(auth):
    answer = auth.call("POST", "/token", {"grant_type": tokens.JWT_GRANT})

    assert answer.json["error_description"] == "Content-Type is not that of a form"


@pytest.mark.parametrize("body", ["grant_type", "a=1&a=2", "grant_type=refresh_token&own=1"])
def test_a_wrong_form_is_refused(auth, body):
    answer = auth.post_form("/token", body)

    assert answer.status == 400 and answer.json["error"] == "invalid_request"
