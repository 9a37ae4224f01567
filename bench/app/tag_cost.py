"""What it costs to set and restore one tag, in a worker that is profiled.

    /pid     answers the worker's pid
    /cost    answers, as JSON, the nanoseconds of each way in each of ROUNDS rounds

SPDX-License-Identifier: MIT
"""

import json
import os
import time

import cloudprofiler

ROUNDS = 21
TIMES = 20_000


class Empty:
    """A context manager that does nothing, written in Python."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return False


def empty():
    for _ in range(TIMES):
        with Empty():
            pass


def tag():
    for _ in range(TIMES):
        with cloudprofiler.tag(route="/users/<id>"):
            pass


def tag_made_before():
    made = cloudprofiler.tag(route="/users/<id>")
    for _ in range(TIMES):
        with made:
            pass


def tag_inside_another():
    with cloudprofiler.tag(tenant="blue"):
        tag()


def set_tag():
    for _ in range(TIMES):
        cloudprofiler.set_tag("route", "/users/<id>")


WAYS = {
    "empty context manager": empty,
    "with tag(route=...)": tag,
    "the same inside another": tag_inside_another,
    "with a tag made before": tag_made_before,
    "set_tag(...)": set_tag,
}


def nanoseconds(way):
    start = time.perf_counter()
    way()
    return (time.perf_counter() - start) / TIMES * 1e9


def cost():
    """Round by round, so that a busy time of the machine meets all of them."""
    found = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, way in WAYS.items():
            found[name].append(nanoseconds(way))
    return json.dumps(found)


def application(environ, start_response):
    answer = cost() if environ["PATH_INFO"] == "/cost" else str(os.getpid())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer.encode()]
