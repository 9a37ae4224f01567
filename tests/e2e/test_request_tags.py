"""Tags of requests: what uWSGI knows of the request, and what a routing action says.

SPDX-License-Identifier: MIT
"""

import contextlib
import socket

import pytest
from testenv import processes
from testenv.profiles import merged, profile_files, wall_file_of
from testenv.uwsgi import QUICK

REQUESTS = 10_000
POINTS = 0.03
BOTH = ["/burner/1?secret=yes", "/sleeper/2/deep"]
ROUTES = [f"^/{name}/ cloudprofiler-tag:route=/{name}/:id" for name in ("burner", "sleeper")]
PARTS = ["method", "host", "mount", "path:1"]
OWN = {
    "burner": {"handle_burner", "burner_burns", "burner_rests"},
    "sleeper": {"handle_sleeper", "sleeper_burns", "sleeper_rests"},
}


def tagged(*tags):
    return {"app": "two_routes", "cloudprofiler_tag": ["worker", "thread", "state", *tags]}


def expected(name):
    return {
        "method": "GET",
        "host": "localhost",
        "mount": "/",
        "path": f"/{name}",
        "route": f"/{name}/:id",
    }


def owner_of(sample):
    """The route whose functions the stack contains; never two."""
    owners = {name for name, functions in OWN.items() if functions & set(sample.names())}
    assert len(owners) <= 1, sample
    return next(iter(owners), None)


def assert_no_sample_is_under_the_wrong_tag(profile):
    for sample in profile.samples:
        name = owner_of(sample)
        if name:
            found = {key: sample.labels.get(key) for key in expected(name)}
            assert found == expected(name), sample


def share(profile, route):
    """The part of all time under either route."""
    sums = {name: sum(s.ns for s in profile.samples if s.labels.get("route") == f"/{name}/:id")
            for name in OWN}
    return sums[route] / sum(sums.values())


def true_share(bodies, route, column):
    sums = dict.fromkeys(OWN, 0)
    for body in bodies:
        name, *took = body.decode().split()
        sums[name] += int(took[column])
    return sums[route] / sum(sums.values())


@contextlib.contextmanager
def profiles_of(server, reader):
    """Two merged profiles, CPU and wall, of all windows that began and ended in the block."""
    before = set(profile_files(server.profiles))
    found = {}
    server.wait_for_profiles()
    before = set(profile_files(server.profiles))
    yield found
    new = [path for path in profile_files(server.profiles) if path not in before]
    found["cpu"] = merged(reader.read(path) for path in new)
    found["wall"] = merged(reader.read(wall_file_of(path)) for path in new)


def test_two_routes_are_told_apart_in_every_sample(uwsgi, profile_reader):
    server = uwsgi(
        processes=2, threads=4, route=ROUTES, cloudprofiler_period_ms=5, **tagged(*PARTS), **QUICK
    )

    load = server.load(BOTH, threads=8, count=REQUESTS, seconds=300)
    with load:
        with profiles_of(server, profile_reader) as found:
            load.join()
    assert not load.failures and load.done == REQUESTS

    for kind, column in ("cpu", 0), ("wall", 1):
        route = {"cpu": "burner", "wall": "sleeper"}[kind]
        wanted = true_share(load.bodies, route, column)
        print(f"{kind}: {share(found[kind], route):.4f} of {route}, in truth {wanted:.4f}, "
              f"{found[kind].total_count} samples")
        assert abs(share(found[kind], route) - wanted) <= POINTS
        assert_no_sample_is_under_the_wrong_tag(found[kind])
    assert abs(share(found["cpu"], "burner") - 0.7) <= POINTS
