"""The profiling API: create, update and createOffline.

All of it runs in the stand-in's event loop.

SPDX-License-Identifier: MIT
"""

import asyncio
import collections
import json
import secrets
import time
from dataclasses import dataclass

from . import pprof_rules, rules
from .errors import ApiError
from .pace import Hold
from .records import Upload
from .rules import refuse
from .steps import Reply

QUEUE_MAX = 32
FIRST_DELAY_S = 33 * 60
NEXT_DELAY_S = 60
# How often a hanging call asks the pace again.
LOOK_EVERY_S = 0.05

JSON_HEADERS = {
    "content-type": "application/json; charset=UTF-8",
    "vary": "Origin, X-Origin, Referer",
    "server": "ESF",
    "cache-control": "private",
}
# Fields of a profile, of which `startTime` is the server's own.
PROFILE_TYPES = {
    "name": str,
    "profileType": str,
    "deployment": dict,
    "duration": str,
    "profileBytes": str,
    "labels": dict,
    "startTime": str,
}
MASKABLE = {"profileBytes": "profileBytes", "profile_bytes": "profileBytes", "labels": "labels"}


def json_reply(document, status=200):
    return Reply(status, json.dumps(document, indent=2).encode() + b"\n", dict(JSON_HEADERS))


def deployment_key(deployment):
    labels = tuple(sorted(deployment.get("labels", {}).items()))
    return deployment["projectId"], deployment["target"], labels


@dataclass
class Grant:
    """One profile that a create call will be told to make."""

    kind: str
    duration: str | None  # None: the answer has none
    opaque: str
    extra: dict  # fields put into the answer beside, or over, the usual ones
    forced: bool = False  # given even to a client that did not ask for this kind


@dataclass
class Session:
    """A profile that was asked for and not yet uploaded."""

    profile: dict
    used: bool = False


def new_opaque():
    """The last part of a profile's name, as the real server's look."""
    return secrets.token_hex(8)


class ProfilerApi:
    def __init__(self, check_bearer, uploads):
        self.pace = Hold()
        self._check_bearer = check_bearer
        self._uploads = uploads
        self._sessions = {}
        self._released = collections.deque()
        self._waiting = collections.Counter()
        self._refused = collections.Counter()

    # What a test does

    def release(self, grant):
        self._released.append(grant)

    def forget_names(self):
        """No profile that was asked for can be uploaded any more."""
        self._sessions.clear()

    @property
    def waiting(self):
        return sum(self._waiting.values())

    # create

    def _grant(self, key, kinds):
        for grant in self._released:
            if grant.forced or grant.kind in kinds:
                self._released.remove(grant)
                return grant
        offer = self.pace.offer(key, kinds, time.monotonic())
        return Grant(*offer, new_opaque(), {}) if offer else None

    def _enter_queue(self, key):
        if self._waiting[key] < QUEUE_MAX:
            self._refused[key] = 0
            return
        delay_s = FIRST_DELAY_S + NEXT_DELAY_S * self._refused[key]
        self._refused[key] += 1
        raise ApiError(409, "action throttled", delay=f"{delay_s}s")

    async def create(self, request, project):
        self._check_bearer(request)
        rules.check_headers(request)
        rules.check_query(request, ())
        document = rules.parse_object(request.body)
        rules.check_fields(document, {"deployment": dict, "profileType": list})
        deployment = document.get("deployment", {})
        rules.check_deployment(deployment, project)
        kinds = document.get("profileType", [])
        rules.check_kinds(kinds)
        key = deployment_key(deployment)
        self._enter_queue(key)
        self._waiting[key] += 1
        try:
            grant = self._grant(key, kinds)
            while not grant:
                await asyncio.sleep(LOOK_EVERY_S)
                grant = self._grant(key, kinds)
        finally:
            self._waiting[key] -= 1
        return json_reply(self._open(project, deployment, grant))

    def _open(self, project, deployment, grant):
        name = f"projects/{project}/profiles/{grant.opaque}"
        profile = {
            "name": name,
            "profileType": grant.kind,
            "deployment": deployment,
            "duration": grant.duration,
            **grant.extra,
        }
        profile = {name: value for name, value in profile.items() if value is not None}
        self._sessions[name] = Session(profile)
        return profile

    # update

    async def update(self, request, name):
        self._check_bearer(request)
        rules.check_headers(request)
        rules.check_query(request, ("updateMask",))
        session = self._sessions.get(name)
        if session is None or session.used:
            refuse(f"generic::invalid_argument: invalid profile name: {name}")
        document = rules.parse_object(request.body)
        rules.check_fields(document, PROFILE_TYPES, session.profile, where="profile")
        self._check_echo(document, session.profile)
        fields = self._mask(request)
        labels = document.get("labels", {})
        if "labels" not in fields:
            labels = session.profile.get("labels", {})
        deployment = session.profile["deployment"]
        rules.check_labels(labels, also=deployment.get("labels"), where="profile.labels")
        if "profileBytes" not in fields or "profileBytes" not in document:
            refuse("profileBytes is missing")
        self._accept(request, session.profile, document["profileBytes"], labels)
        session.used = True
        return json_reply({**session.profile, "labels": labels} if labels else session.profile)

    @staticmethod
    def _check_echo(document, profile):
        """What the client sends back must be what it was given."""
        for name in ("name", "profileType", "deployment", "duration"):
            if name in document and document[name] != profile.get(name):
                refuse(f"{name} is not what the profile was created with")
        for name in set(profile) - {*PROFILE_TYPES}:
            if name in document and document[name] != profile[name]:
                refuse(f"{name} has changed")

    @staticmethod
    def _mask(request):
        """The fields that count: all that may be updated, or those of updateMask."""
        if "updateMask" not in request.query:
            return set(MASKABLE.values())
        names = request.query["updateMask"].split(",")
        for name in names:
            if name not in MASKABLE:
                refuse(f"updateMask: {name!r} cannot be updated")
        return {MASKABLE[name] for name in names}

    def _accept(self, request, profile, text, labels):
        data = pprof_rules.decode_base64(text)
        message = pprof_rules.check(data)
        self._uploads.append(
            Upload(
                name=profile["name"],
                kind=profile["profileType"],
                duration=profile.get("duration"),
                deployment=profile["deployment"],
                labels=labels,
                bytes=data,
                message=message,
                request=request,
            )
        )

    # createOffline

    async def create_offline(self, request, project):
        self._check_bearer(request)
        rules.check_headers(request)
        rules.check_query(request, ())
        document = rules.parse_object(request.body)
        rules.check_fields(document, PROFILE_TYPES, where="profile")
        deployment = document.get("deployment", {})
        rules.check_deployment(deployment, project)
        rules.check_kinds([document.get("profileType", "")])
        duration = document.get("duration", "0s")
        rules.check_duration(duration)
        labels = document.get("labels", {})
        rules.check_labels(labels, also=deployment.get("labels"), where="profile.labels")
        grant = Grant(document["profileType"], duration, new_opaque(), {})
        profile = self._open(project, deployment, grant)
        # The bytes of an offline profile cannot be updated later.
        self._sessions[profile["name"]].used = True
        self._accept(request, profile, document.get("profileBytes", ""), labels)
        return json_reply(profile)
