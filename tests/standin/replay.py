"""Sends recorded requests of the official agents again.

What was shortened in a recording is replaced: profile bytes, tokens, signed assertions.

SPDX-License-Identifier: MIT
"""

import base64
import json
import re
import time
import urllib.parse
from dataclasses import dataclass

import jwt

from .client import Client, message, packed
from .rules import KINDS
from .steps import error, normal
from .tokens import (
    ACCOUNT,
    API_AUDIENCE,
    KEY_ID,
    SUBJECT_TOKEN,
    WRITE_SCOPE,
    private_key_pem,
)

BLOCK = re.compile(r"^>>> (HTTPS?) conn#(\d+) .*$", re.MULTILINE)
CLAIMS = re.compile(r"^ +\[decoded assertion\] header=(\{.*?\}) claims=(\{.*\})$", re.MULTILINE)
SHORTENED = re.compile(r'"profileBytes": ?"([^"]*<\d+ base64 chars in all>)"')


@dataclass
class Recorded:
    tls: bool
    connection: int
    method: str
    target: str
    headers: list
    body: str
    claims: dict | None

    @property
    def is_create(self):
        return self.method == "POST" and "/profiles" in self.target

    @property
    def is_update(self):
        return self.method == "PATCH"


def _recorded(scheme, connection, text):
    claims = CLAIMS.search(text)
    head, _, body = CLAIMS.sub("", text).strip("\n").partition("\n\n")
    first, *lines = head.splitlines()
    method, target, _version = first.split(" ")
    headers = [tuple(line.split(": ", 1)) for line in lines]
    return Recorded(
        scheme == "HTTPS",
        int(connection),
        method,
        target,
        headers,
        body.strip("\n"),
        json.loads(claims.group(2)) if claims else None,
    )


def parse(path):
    """The requests of one recording, in order."""
    _, *parts = BLOCK.split(path.read_text())
    return [_recorded(*parts[i : i + 3]) for i in range(0, len(parts), 3)]


def sign(claims, *, header=None):
    """A JWT by the service account's key."""
    headers = {"kid": KEY_ID, **(header or {})}
    return jwt.encode(claims, private_key_pem(), algorithm="RS256", headers=headers)


def with_padding(token):
    """As google-auth 1.5 writes it: each part of the JWT padded, header and claims signed so."""
    key = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256)
    parts = [part + "=" * (-len(part) % 4) for part in token.split(".")[:2]]
    content = ".".join(parts)
    signature = key.sign(content.encode(), key.prepare_key(private_key_pem()))
    return f"{content}.{base64.urlsafe_b64encode(signature).decode()}"


def _now_claims(claims):
    now = int(time.time())
    return {**claims, "iat": now, "exp": now + 3600}


class Replay:
    """`audience`: the stand-in's own token_uri, which the recordings have with another port."""

    def __init__(self, standin):
        self._standin = standin
        self._clients = {}
        self._token = None
        self._self_signed = 0

    def run(self, recorded):
        """Returns the answers, in the order of the requests."""
        self._prepare(recorded)
        return [self._send(one) for one in recorded]

    def _prepare(self, recorded):
        """Has each create call answered with the profile whose upload follows it."""
        names = [json.loads(self._body(one))["name"] for one in recorded if one.is_update]
        seen = 0
        for index, one in enumerate(recorded):
            if one.is_update:
                again = json.loads(self._body(one))["name"] in names[seen + 1 :]
                self._standin.script("update", *([error(503)] if again else [normal()]))
                seen += 1
            if one.is_create:
                self._release(recorded[index + 1] if index + 1 < len(recorded) else None)

    def _release(self, following):
        if following is None or not following.is_update:
            self._standin.release(forced=True)
            return
        sent = json.loads(self._body(following))
        own = ("name", "profileType", "deployment", "duration", "profileBytes")
        extra = {name: value for name, value in sent.items() if name not in own}
        assert sent["profileType"] in KINDS
        self._standin.release(
            sent["profileType"],
            sent.get("duration"),
            opaque=sent["name"].rsplit("/", 1)[1],
            extra=extra,
        )

    def _body(self, one):
        if one.claims:
            own_url = one.claims["aud"].startswith("https://localhost")
            audience = f"{self._standin.auth_url}/token" if own_url else one.claims["aud"]
            token = sign(_now_claims({**one.claims, "aud": audience}))
            form = dict(urllib.parse.parse_qsl(one.body))
            form["assertion"] = with_padding(token) if own_url else token
            return urllib.parse.urlencode(form)
        if "subject_token=" in one.body:
            form = dict(urllib.parse.parse_qsl(one.body))
            return urllib.parse.urlencode({**form, "subject_token": SUBJECT_TOKEN})
        data = base64.b64encode(packed(message())).decode()
        return SHORTENED.sub(f'"profileBytes": "{data}"', one.body)

    def _bearer(self, recorded):
        if not recorded.startswith("Bearer eyJ"):
            return f"Bearer {self._token}"
        self._self_signed += 1
        claims = _now_claims({"iss": ACCOUNT, "sub": ACCOUNT})
        # The recording has both forms, in this order.
        what = {"scope": WRITE_SCOPE} if self._self_signed == 1 else {"aud": API_AUDIENCE}
        return f"Bearer {sign({**claims, **what})}"

    def _send(self, one):
        body = self._body(one).encode()
        changed = {"content-length": str(len(body))}
        headers = []
        for name, value in one.headers:
            new = changed.get(name.lower(), value)
            headers.append((name, self._bearer(new) if name.lower() == "authorization" else new))
        client = self._client(one)
        client.send(one.method, one.target, headers, body)
        answer = client.read()
        self._remember_token(answer)
        return answer

    def _client(self, one):
        plain = f"http://{self._standin.metadata_host}"
        url = self._standin.endpoint if one.tls else plain
        if one.connection not in self._clients:
            self._clients[one.connection] = Client(self._standin, url)
        return self._clients[one.connection]

    def _remember_token(self, answer):
        if answer.headers.get("content-type", "").startswith("application/json"):
            found = answer.json.get("access_token") or answer.json.get("accessToken")
            self._token = found or self._token

    def close(self):
        for client in self._clients.values():
            client.close()
