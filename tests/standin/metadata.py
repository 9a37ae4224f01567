"""The metadata server of a Google Cloud machine.

SPDX-License-Identifier: MIT
"""

import json
from dataclasses import dataclass, field

from .errors import ApiError
from .steps import Reply
from .tokens import API_SCOPES, PROJECT, SCOPES

ROOT = "/computeMetadata/v1"
EMAIL = "default@lab.iam.gserviceaccount.com"


@dataclass
class Metadata:
    """What the machine is. A value of None is answered by 404; tests set what they like."""

    project_id: str | None = PROJECT
    zone: str | None = "projects/123456789/zones/us-central1-a"
    name: str | None = "lab-vm-1"
    email: str | None = EMAIL
    says_flavor: bool = True  # the answer's header, without which it is some other server
    scopes: set = field(default_factory=lambda: {SCOPES + "cloud-platform"})

    def headers(self):
        headers = {
            "server": "Metadata Server for VM",
            "x-xss-protection": "0",
            "x-frame-options": "SAMEORIGIN",
        }
        return headers | ({"metadata-flavor": "Google"} if self.says_flavor else {})

    def _reply(self, content):
        if content is None:
            return Reply(404, b"", self.headers())
        if isinstance(content, str):
            return Reply(
                200, content.encode(), {**self.headers(), "content-type": "application/text"}
            )
        body = json.dumps(content).encode()
        return Reply(200, body, {**self.headers(), "content-type": "application/json"})

    def _account(self, rest, request, tokens):
        """`rest`: what follows service-accounts/."""
        name, _, what = rest.partition("/")
        if self.email is None or name not in ("default", self.email):
            return None
        if what == "" and request.query.get("recursive", "").lower() == "true":
            scopes = sorted(self.scopes)
            return {"aliases": ["default"], "email": self.email, "scopes": scopes}
        if what == "email":
            return self.email
        if what != "token":
            return None
        asked = set(filter(None, request.query.get("scopes", "").split(",")))
        return tokens.for_metadata(asked or self.scopes & API_SCOPES)

    async def answer(self, request, tokens):
        if request.headers.get("metadata-flavor") != "Google":
            raise ApiError(403, "Missing Metadata-Flavor: Google header.")
        if "x-forwarded-for" in request.headers:
            raise ApiError(403, "X-Forwarded-For is not let in.")
        path = request.path.removeprefix(ROOT)
        accounts = "/instance/service-accounts/"
        if path.startswith(accounts):
            content = self._account(path.removeprefix(accounts), request, tokens)
        else:
            contents = {
                "": "",
                "/": "",
                "/instance": "",
                "/instance/": "",
                "/project/project-id": self.project_id,
                "/instance/zone": self.zone,
                "/instance/name": self.name,
            }
            content = contents.get(path)
        return self._reply(content)
