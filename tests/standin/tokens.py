"""The endpoints that give out tokens, and the key files that lead a client to them.

SPDX-License-Identifier: MIT
"""

import functools
import json
import time
import urllib.parse
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from . import rules
from .api import JSON_HEADERS, json_reply
from .errors import ApiError, OAuthError
from .steps import Reply

PROJECT = "lab-project"
ACCOUNT = f"agent@{PROJECT}.iam.gserviceaccount.com"
TARGET_ACCOUNT = f"target@{PROJECT}.iam.gserviceaccount.com"
ACCOUNTS = (ACCOUNT, TARGET_ACCOUNT, f"sa@{PROJECT}.iam.gserviceaccount.com")
KEY_ID = "0123456789abcdef0123456789abcdef01234567"
CLIENT_ID = "cid.apps.googleusercontent.com"
CLIENT_SECRET = "csecret"
REFRESH_TOKEN = "1//refresh"
SUBJECT_TOKEN = "subject.token.of.the.pool"
AUDIENCE = (
    "//iam.googleapis.com/projects/123456/locations/global"
    "/workloadIdentityPools/pool/providers/prov"
)
SUBJECT_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:jwt"

SCOPES = "https://www.googleapis.com/auth/"
WRITE_SCOPE = SCOPES + "monitoring.write"
IAM_SCOPE = SCOPES + "iam"
API_SCOPES = {SCOPES + "cloud-platform", SCOPES + "monitoring", WRITE_SCOPE}
IAM_SCOPES = {SCOPES + "cloud-platform", IAM_SCOPE}
API_AUDIENCE = "https://cloudprofiler.googleapis.com/"
TOKEN_AUDIENCES = (
    "https://oauth2.googleapis.com/token",
    "https://www.googleapis.com/oauth2/v4/token",
)

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"
# How far a client's clock may be from ours.
SKEW_S = 300
LIFETIME_MAX_S = 3600


@functools.lru_cache(maxsize=1)
def private_key():
    """The service account's key: one for the run, as making one takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_key_pem():
    return (
        private_key()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


class KeyFiles:
    """Writes credential files of each kind. `over` replaces fields; None takes one away."""

    def __init__(self, auth_url):
        self._auth_url = auth_url

    @staticmethod
    def _write(path, document, over):
        document = {**document, **over}
        document = {name: value for name, value in document.items() if value is not None}
        path.touch(mode=0o600)
        path.write_text(json.dumps(document, indent=2))
        return path

    def _impersonation_url(self, account):
        return f"{self._auth_url}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"

    def _service_account(self):
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": KEY_ID,
            "private_key": private_key_pem(),
            "client_email": ACCOUNT,
            "client_id": "123456789012345678901",
            "token_uri": f"{self._auth_url}/token",
        }

    def _authorized_user(self):
        return {
            "type": "authorized_user",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN,
            "token_uri": f"{self._auth_url}/token",
        }

    def service_account(self, path, **over):
        return self._write(path, self._service_account(), over)

    def authorized_user(self, path, **over):
        return self._write(path, self._authorized_user(), over)

    def external_account(
        self, path, *, subject_file=None, json_field=None, impersonate=False, **over
    ):
        """The subject token comes from `subject_file`, which is written too, or from our URL;
        as text, or as JSON in the field `json_field`."""
        form = {"type": "json", "subject_token_field_name": json_field} if json_field else None
        if subject_file:
            text = json.dumps({json_field: SUBJECT_TOKEN}) if json_field else SUBJECT_TOKEN
            subject_file.write_text(text)
            source = {"file": str(subject_file)}
        else:
            query = f"?field={json_field}" if json_field else ""
            source = {
                "url": f"{self._auth_url}/subject-token{query}",
                "headers": {"Metadata": "True"},
            }
        document = {
            "type": "external_account",
            "audience": AUDIENCE,
            "subject_token_type": SUBJECT_TOKEN_TYPE,
            "token_url": f"{self._auth_url}/sts",
            "credential_source": {**source, **({"format": form} if form else {})},
        }
        if impersonate:
            document["service_account_impersonation_url"] = self._impersonation_url(ACCOUNT)
        return self._write(path, document, over)

    def impersonated_service_account(self, path, *, source="authorized_user", **over):
        """`source`: the kind of the credentials inside, authorized_user or service_account."""
        sources = {
            "authorized_user": self._authorized_user,
            "service_account": self._service_account,
        }
        document = {
            "type": "impersonated_service_account",
            "service_account_impersonation_url": self._impersonation_url(TARGET_ACCOUNT),
            "source_credentials": sources[source](),
            "delegates": [],
        }
        return self._write(path, document, over)


@dataclass
class Token:
    scopes: set
    good_until_s: float  # by the stand-in's clock
    kind: str  # which endpoint gave it


class Tokens:
    """`now` is the stand-in's clock, Unix time; `own_urls` gives the URLs it is reached by."""

    def __init__(self, now, own_urls):
        self.lifetime_s = 3599
        self._now = now
        self._own_urls = own_urls
        self._good = {}
        self._count = 0

    # What tests do

    def accept(self, token, scopes=(WRITE_SCOPE,)):
        """From now on a bearer of `token` is let in."""
        self._good[token] = Token(set(scopes), self._now() + self.lifetime_s, "test")

    def expire_all(self):
        self._good.clear()

    @property
    def given(self):
        """The tokens that are good now."""
        return list(self._good)

    def scopes_of(self, token):
        """What a token that is good now is good for."""
        return self._good[token].scopes

    # Bearers

    def _new(self, scopes, kind):
        self._count += 1
        token = f"ya29.standin-{kind}-{self._count}"
        self._good[token] = Token(set(scopes), self._now() + self.lifetime_s, kind)
        return token

    def _bearer(self, request):
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise ApiError(401, "Request is missing required authentication credential.")
        return token

    def check_bearer(self, request, wanted=frozenset(API_SCOPES)):
        token = self._bearer(request)
        if token.count(".") == 2 and token not in self._good:
            self._check_self_signed(token)
            return
        found = self._good.get(token)
        if found is None or found.good_until_s <= self._now():
            raise ApiError(401, "Request had invalid authentication credentials.")
        if not found.scopes & wanted:
            raise ApiError(403, "Request had insufficient authentication scopes.")

    def for_metadata(self, scopes):
        """What the metadata server's token path answers."""
        token = self._new(scopes, "mds")
        return {"access_token": token, "expires_in": self.lifetime_s, "token_type": "Bearer"}

    # Signed tokens

    def _claims(self, assertion):
        """The claims of a JWT whose header, signature and times are good."""
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(
                assertion,
                private_key().public_key(),
                algorithms=["RS256"],
                options={"verify_aud": False, "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as problem:
            raise OAuthError("invalid_grant", f"Invalid JWT Signature. {problem}") from None
        if header.get("kid", KEY_ID) != KEY_ID or header.get("typ") != "JWT":
            raise OAuthError("invalid_grant", "Invalid JWT header")
        if claims.get("iss") != ACCOUNT:
            raise OAuthError("invalid_grant", "Invalid grant: account not found")
        issued, expires = claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int) or not isinstance(expires, int):
            raise OAuthError("invalid_grant", "Invalid JWT: iat and exp must be whole numbers")
        now = self._now()
        if not (issued - SKEW_S <= now < expires + SKEW_S and expires - issued <= LIFETIME_MAX_S):
            raise OAuthError(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable"
                " timeframe. Check your iat and exp values in the JWT claim.",
            )
        return claims

    def _check_self_signed(self, token):
        try:
            claims = self._claims(token)
        except OAuthError as problem:
            raise ApiError(401, problem.description) from None
        scopes = set(claims.get("scope", "").split())
        good_audience = claims.get("aud") in {API_AUDIENCE, *self._own_urls()}
        if claims.get("sub") != ACCOUNT or bool(scopes & API_SCOPES) == good_audience:
            raise ApiError(401, "A self-signed JWT names its subject, and a scope or an audience.")

    # Endpoints

    @staticmethod
    def _form(request):
        kind = request.headers.get("content-type", "").partition(";")[0]
        if kind != "application/x-www-form-urlencoded":
            raise OAuthError("invalid_request", "Content-Type is not that of a form")
        try:
            pairs = urllib.parse.parse_qsl(
                request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True
            )
        except ValueError as problem:
            raise OAuthError("invalid_request", str(problem)) from None
        if len(dict(pairs)) != len(pairs):
            raise OAuthError("invalid_request", "a parameter stands twice")
        return dict(pairs)

    @staticmethod
    def _only(form, names):
        unknown = set(form) - set(names)
        if unknown:
            raise OAuthError("invalid_request", f"parameter {sorted(unknown)[0]!r}")

    def _answer(self, token, **more):
        return json_reply(
            {
                "access_token": token,
                "expires_in": self.lifetime_s,
                "token_type": "Bearer",
                **more,
            }
        )

    async def token(self, request):
        form = self._form(request)
        grants = {JWT_GRANT: self._jwt_bearer, "refresh_token": self._refresh}
        handler = grants.get(form.get("grant_type"))
        if handler is None:
            raise OAuthError("unsupported_grant_type", "Invalid grant_type")
        return handler(form)

    def _jwt_bearer(self, form):
        self._only(form, ("grant_type", "assertion"))
        claims = self._claims(form.get("assertion", ""))
        if claims.get("aud") not in {*TOKEN_AUDIENCES, *self._own_urls("/token")}:
            raise OAuthError("invalid_grant", "Invalid JWT: Failed audience check.")
        scopes = claims.get("scope", "").split()
        if not scopes or any(not scope.startswith(SCOPES) for scope in scopes):
            raise OAuthError("invalid_scope", "Invalid OAuth scope or ID token audience")
        return self._answer(self._new(scopes, "sa"))

    def _refresh(self, form):
        self._only(form, ("grant_type", "client_id", "client_secret", "refresh_token", "scope"))
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise OAuthError("invalid_client", "The OAuth client was not found.", 401)
        if form.get("refresh_token") != REFRESH_TOKEN:
            raise OAuthError("invalid_grant", "Token has been expired or revoked.")
        return self._answer(self._new({SCOPES + "cloud-platform"}, "user"))

    async def sts(self, request):
        form = self._form(request)
        wanted = {
            "grant_type": EXCHANGE_GRANT,
            "audience": AUDIENCE,
            "requested_token_type": ACCESS_TOKEN_TYPE,
            "subject_token": SUBJECT_TOKEN,
            "subject_token_type": SUBJECT_TOKEN_TYPE,
        }
        self._only(form, [*wanted, "scope", "options"])
        for name, value in wanted.items():
            if form.get(name) != value:
                raise OAuthError("invalid_request", f"Invalid value for {name}")
        scopes = form.get("scope", "").split()
        if not scopes:
            raise OAuthError("invalid_scope", "scope is missing")
        return self._answer(self._new(scopes, "sts"), issued_token_type=ACCESS_TOKEN_TYPE)

    async def impersonation(self, request, account):
        self.check_bearer(request, IAM_SCOPES)
        rules.check_headers(request)
        if urllib.parse.unquote(account) not in ACCOUNTS:
            raise ApiError(404, "Not found; Gaia id not found for the account")
        document = rules.parse_object(request.body)
        types = {"delegates": (list, type(None)), "scope": list, "lifetime": str}
        rules.check_fields(document, types)
        scopes = document.get("scope") or []
        if not scopes or any(not str(scope).startswith(SCOPES) for scope in scopes):
            raise ApiError(400, "scope is missing or invalid")
        rules.check_duration(document.get("lifetime", "3600s"))
        if float(document.get("lifetime", "3600s")[:-1]) > LIFETIME_MAX_S:
            raise ApiError(400, "lifetime is longer than an hour")
        until = time.gmtime(self._now() + self.lifetime_s)
        return json_reply(
            {
                "accessToken": self._new(scopes, "imp"),
                "expireTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", until),
            }
        )

    async def subject_token(self, request):
        """A pool's own token, as text, or as JSON in the field that the query names."""
        if request.headers.get("metadata") != "True":
            raise ApiError(400, "the header that the credential source names is missing")
        field = request.query.get("field")
        if field:
            return json_reply({field: SUBJECT_TOKEN})
        headers = {**JSON_HEADERS, "content-type": "text/plain"}
        return Reply(200, SUBJECT_TOKEN.encode(), headers)

    async def use_token(self, request):
        """A path for a client's library alone: a POST is let in if its bearer would be."""
        if request.method == "POST":
            self.check_bearer(request)
        return json_reply({})
