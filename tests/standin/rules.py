"""What the API's published rules, read strictly, ask of a request.

Both official REST agents keep all of it; so a client that breaks one does what nobody does.

SPDX-License-Identifier: MIT
"""

import json
import re

from .errors import ApiError

PROJECT = re.compile(r"[a-z][-a-z0-9:.]{4,61}[a-z0-9]")
TARGET = re.compile(r"[a-z0-9]([-a-z0-9_.]{0,253}[a-z0-9])?")
LABEL_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
DURATION = re.compile(r"([0-9]{1,12})(\.[0-9]{1,9})?s")
LABEL_VALUE_BYTES = 512
LABELS_BYTES = 1024
LANGUAGES = {"java", "go", "python", "ruby", "nodejs", "php", "dotnet"}
KINDS = ("CPU", "WALL", "HEAP", "THREADS", "CONTENTION", "PEAK_HEAP", "HEAP_ALLOC")
BODY_BYTES_MAX = 32 << 20

CONTENT_TYPES = re.compile(r"(application/json|text/plain)(;\s*charset=\"?utf-8\"?)?", re.I)
PRODUCT = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[0-9A-Za-z._+-]+")
CLIENT_WORD = re.compile(r"[a-z0-9-]+/[^\s/]+(/[^\s/]+)?")


def refuse(message, status=400):
    raise ApiError(status, message)


def check_headers(request):
    headers = request.headers
    if headers.get("transfer-encoding") or "content-length" not in headers:
        refuse("the body needs a Content-Length", 411)
    if len(request.body) > BODY_BYTES_MAX:
        refuse("the request is too large")
    if "content-encoding" in headers:
        refuse("the body is encoded")
    if not CONTENT_TYPES.fullmatch(headers.get("content-type", "")):
        refuse(f"Content-Type {headers.get('content-type')!r}")
    if not any(PRODUCT.fullmatch(word) for word in headers.get("user-agent", "").split()):
        refuse("User-Agent names no product")
    accept = headers.get("accept", "*/*")
    if "*/*" not in accept and "application/json" not in accept:
        refuse(f"Accept {accept!r} leaves out the answer")
    for word in headers.get("x-goog-api-client", "").split():
        if not CLIENT_WORD.fullmatch(word):
            refuse(f"x-goog-api-client: {word!r}")
    if headers.get("x-goog-api-format-version", "2") not in ("1", "2"):
        refuse("x-goog-api-format-version")
    if "cookie" in headers:
        refuse("a cookie")


def check_query(request, allowed):
    known = {"alt", "prettyPrint", "$.xgafv", "key", "quotaUser", "fields", *allowed}
    unknown = set(request.query) - known
    if unknown:
        refuse(f"unknown name {sorted(unknown)[0]!r}: cannot bind query parameter")
    if request.query.get("alt", "json") != "json":
        refuse("alt is not json")


def _no_duplicates(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        refuse("a name stands twice in a JSON object")
    return found


def _no_constant(name):
    refuse(f"{name} is not JSON")


def parse_object(body):
    try:
        document = json.loads(
            body.decode(), object_pairs_hook=_no_duplicates, parse_constant=_no_constant
        )
    except ValueError as problem:
        refuse(f"Invalid JSON payload received. {problem}")
    if not isinstance(document, dict):
        refuse("the body is no JSON object")
    return document


def check_fields(document, types, allowed=(), where="the request"):
    """`types`: name to type of the fields that may stand; `allowed`: others that may, unread."""
    for name, value in document.items():
        if name in types:
            if not isinstance(value, types[name]):
                refuse(f"{name} in {where} is a {type(value).__name__}")
        elif name not in allowed:
            refuse(f'Invalid JSON payload received. Unknown name "{name}" in {where}')


def check_labels(labels, *, also=None, where="labels"):
    """`also`: labels that these are merged with; the limit of bytes is on both together."""
    for name, value in labels.items():
        if not LABEL_NAME.fullmatch(name):
            refuse(f"{where}: {name!r} is no label name")
        if not isinstance(value, str):
            refuse(f"{where}: {name} is no string")
        if len(value.encode()) > LABEL_VALUE_BYTES:
            refuse(f"{where}: {name} has more than {LABEL_VALUE_BYTES} bytes")
    merged = {**(also or {}), **labels}
    if sum(len(k.encode()) + len(v.encode()) for k, v in merged.items()) > LABELS_BYTES:
        refuse(f"{where}: more than {LABELS_BYTES} bytes together")


def check_deployment(deployment, project):
    check_fields(deployment, {"projectId": str, "target": str, "labels": dict}, where="deployment")
    if not PROJECT.fullmatch(deployment.get("projectId", "")):
        refuse("deployment.projectId is invalid")
    if deployment["projectId"] != project:
        refuse("deployment.projectId is not the project of the path")
    if not TARGET.fullmatch(deployment.get("target", "")):
        refuse("deployment.target is invalid")
    labels = deployment.get("labels", {})
    check_labels(labels, where="deployment.labels")
    if labels.get("language") not in LANGUAGES:
        refuse("deployment.labels.language is missing or not a standard value")


def check_kinds(kinds):
    if not kinds:
        refuse("profileType is empty")
    for kind in kinds:
        if kind not in KINDS:
            refuse(f"profileType {kind!r}")
    if len(set(kinds)) != len(kinds):
        refuse("profileType names a type twice")


def check_duration(duration):
    if not DURATION.fullmatch(duration):
        refuse(f"duration {duration!r} is no duration")
