"""The discovery document, as far as the official Python agent needs it to find the API.

SPDX-License-Identifier: MIT
"""

from .tokens import WRITE_SCOPE


def _text(**more):
    return {"type": "string", **more}


def _texts():
    return {"type": "object", "additionalProperties": _text()}


def _schema(name, /, **properties):
    return {"type": "object", "id": name, "properties": properties}


def _method(name, verb, path, place, body):
    """`place`: the parameter that stands in the path, as {+place}."""
    return {
        "id": f"cloudprofiler.projects.profiles.{name}",
        "httpMethod": verb,
        "path": path,
        "flatPath": path,
        "parameterOrder": [place],
        "parameters": {place: _text(location="path", required=True)},
        "request": {"$ref": body},
        "response": {"$ref": "Profile"},
        "scopes": [WRITE_SCOPE],
    }


def document(endpoint):
    methods = {
        "create": _method(
            "create", "POST", "v2/{+parent}/profiles", "parent", "CreateProfileRequest"
        ),
        "patch": _method("patch", "PATCH", "v2/{+name}", "name", "Profile"),
    }
    profile = _schema(
        "Profile",
        name=_text(),
        profileType=_text(),
        deployment={"$ref": "Deployment"},
        duration=_text(format="google-duration"),
        profileBytes=_text(format="byte"),
        labels=_texts(),
    )
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "cloudprofiler:v2",
        "name": "cloudprofiler",
        "version": "v2",
        "title": "stand-in",
        "protocol": "rest",
        "rootUrl": f"{endpoint}/",
        "baseUrl": f"{endpoint}/",
        "basePath": "",
        "servicePath": "",
        "batchPath": "batch",
        "fullyEncodeReservedExpansion": True,
        "parameters": {"alt": _text(location="query", default="json")},
        "auth": {"oauth2": {"scopes": {WRITE_SCOPE: {"description": "write"}}}},
        "schemas": {
            "Profile": profile,
            "Deployment": _schema("Deployment", projectId=_text(), target=_text(), labels=_texts()),
            "CreateProfileRequest": _schema(
                "CreateProfileRequest",
                deployment={"$ref": "Deployment"},
                profileType={"type": "array", "items": _text()},
            ),
        },
        "resources": {"projects": {"resources": {"profiles": {"methods": methods}}}},
    }
