"""Tags of requests: what uWSGI knows of the request, and what a routing action says.

CPROF_REQUESTS sets how many requests of two routes are told apart.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import socket

import pytest
from testenv import bounds, gevents
from testenv.profiles import merged, profile_files, wall_file_of
from testenv.uwsgi import QUICK

REQUESTS = int(os.environ.get("CPROF_REQUESTS", "1500"))
THREADS = 4
REST_S = 0.03  # of a client behind each answer, where few requests are enough
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
    """The part of the time in either route's functions that is under this one's tag. (What uWSGI
    and Python do around them for a request is the same for both. Run-queue time is known of a
    thread as a whole and shared out by CPU time.)"""
    sums = dict.fromkeys(OWN, 0)
    for sample in profile.samples:
        if owner_of(sample) and sample.labels.get("state") != "runnable":
            sums[sample.labels["path"].removeprefix("/")] += sample.ns
    return sums[route] / sum(sums.values())


def true_share(bodies, route, column):
    sums = dict.fromkeys(OWN, 0)
    for body in bodies:
        name, *took = body.decode().split()
        sums[name] += int(took[column])
    return sums[route] / sum(sums.values())


@contextlib.contextmanager
def profiles_of(server, reader):
    """Two merged profiles, CPU and wall, of the windows that end in the block, less one."""
    found = {}
    server.wait_for_profiles()
    before = set(profile_files(server.profiles))
    yield found
    server.wait_for_profiles()
    new = [path for path in profile_files(server.profiles) if path not in before]
    found["comments"] = [c for path in new for c in reader.read(path).comments]
    found["cpu"] = merged(reader.read(path) for path in new)
    found["wall"] = merged(reader.read(wall_file_of(path)) for path in new)


def test_two_routes_are_told_apart_in_every_sample(uwsgi, profile_reader):
    server = uwsgi(
        processes=2,
        threads=THREADS,
        route=ROUTES,
        cloudprofiler_period_ms=3,
        **tagged(*PARTS),
        **QUICK,
    )

    load = server.load(BOTH, threads=8, count=REQUESTS, seconds=300)
    with load, profiles_of(server, profile_reader) as found:
        load.join()
    assert not load.failures and load.done == REQUESTS

    for kind, column in ("cpu", 0), ("wall", 1):
        route = {"cpu": "burner", "wall": "sleeper"}[kind]
        wanted = true_share(load.bodies, route, column)
        samples = found[kind].where(owner_of).total_count
        # A worker's threads are looked at together, and wait for each other.
        moments = samples if kind == "cpu" else samples / THREADS
        print(
            f"{kind}: {share(found[kind], route):.4f} of {route}, in truth {wanted:.4f}, "
            f"{found[kind].total_count} samples"
        )
        assert abs(share(found[kind], route) - wanted) <= bounds.share(wanted, moments)
        assert_no_sample_is_under_the_wrong_tag(found[kind])


def paths_under_load(server, reader, paths, threads=2):
    """The values of the tag path in profiles taken while these paths were asked for."""
    with (
        server.load(paths, threads=threads, rest_s=REST_S) as load,
        profiles_of(server, reader) as found,
    ):
        load.wait_for_requests(20)
    assert not load.failures, load.failures[:3]
    return found["cpu"].label_values("path") | found["wall"].label_values("path"), found


def test_what_a_client_sends_is_cut_and_cleaned(uwsgi, profile_reader):
    server = uwsgi(processes=1, threads=2, **tagged("path:2"), **QUICK)
    long_path = "/other" + "x" * 120 + "\u00e9\u00e9"
    asked = [
        "/other/a?secret=1",
        "/other%0A%01/b",
        "/other%ff%00/c",
        "/other%3Fsecret=1",
        "/other" + "x" * 120 + "%C3%A9%C3%A9",
    ]

    values, _ = paths_under_load(server, profile_reader, asked)

    cut = long_path.encode()[:128].decode()
    wanted = {"/other/a", "/other\ufffd\ufffd/b", "/other\ufffd\ufffd/c", "/other", cut}
    assert wanted <= values <= wanted | {"/pid", None}, values
    assert not any("secret" in value for value in values if value)


def test_a_request_without_a_host_has_the_servers_name(uwsgi, profile_reader):
    server = uwsgi(processes=1, **tagged("host", "method"), **QUICK)

    with profiles_of(server, profile_reader) as found:
        for _ in range(60):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(60)
                client.connect(str(server.directory / "http.sock"))
                client.sendall(b"GET /other HTTP/1.0\r\n\r\n")
                while client.recv(4096):
                    pass

    busy = found["cpu"].where(lambda sample: "handle_other" in sample.names())
    assert busy.samples
    assert busy.label_values("host") == {socket.gethostname()} and busy.label_values("method") == {
        "GET"
    }


def test_tags_end_with_the_request(uwsgi, profile_reader):
    """The action tags one of two paths that the same cores serve in turn."""
    route = ["^/burner/([^/]+)/ cloudprofiler-tag:kind=$1-${REQUEST_METHOD}"]
    server = uwsgi(processes=1, threads=2, route=route, **tagged("path:1"), **QUICK)

    load = server.load(["/burner/left/", "/other"], threads=3, rest_s=2 * REST_S)
    with load, profiles_of(server, profile_reader) as found:
        load.wait_for_requests(100)

    for profile in (found["cpu"], found["wall"]):
        for sample in profile.samples:
            names = sample.names()
            if "handle_burner" in names:
                assert sample.labels.get("kind") == "left-GET", sample
            elif "handle_other" in names or "kind" not in sample.labels:
                assert "kind" not in sample.labels, sample
        assert {"left-GET", None} <= profile.label_values("kind")


def test_more_values_than_there_may_be_are_other(uwsgi, profile_reader):
    route = ["^/(other[0-9]+)/ cloudprofiler-tag:user=$1"]
    server = uwsgi(processes=1, route=route, **tagged(), **QUICK)
    paths = [f"/other{number}/" for number in range(1100)]
    server.burst("/pid", 1)
    fill = [f"{path}idle" for path in paths]
    load = server.load(fill, threads=2, count=len(fill), seconds=300)
    with load:
        load.join()
    assert not load.failures, load.failures[:3]

    def profiles_with(asked):
        with (
            server.load(asked, threads=1, rest_s=REST_S) as load,
            profiles_of(server, profile_reader) as found,
        ):
            load.wait_for_requests(len(asked))
        return found

    found, earlier = profiles_with(paths[1070:]), profiles_with(paths[:30])

    busy = found["cpu"].where(lambda sample: "handle_other" in sample.names())
    assert busy.label_values("user") == {"[other]"}
    assert any(comment.startswith("tag overflows:") for comment in found["comments"])
    known = earlier["cpu"].where(lambda sample: "handle_other" in sample.names())
    assert len(known.label_values("user")) > 10 and "[other]" not in known.label_values("user")


def test_mules_and_spoolers_have_no_request(uwsgi, profile_reader):
    server = uwsgi(
        processes=1,
        mule="background.py",
        **{**tagged(*PARTS), "app": "background"},
        **QUICK,
    )

    with server.some_work("/pid"), profiles_of(server, profile_reader) as found:
        server.wait_for_profiles()

    mules = found["cpu"].where(lambda sample: sample.labels["worker"] == "mule 1")
    assert mules.samples
    for key in ("method", "host", "mount", "path"):
        assert mules.label_values(key) == {None}


def test_tags_become_root_frames(uwsgi, profile_reader, pprof):
    server = uwsgi(
        processes=1,
        route=ROUTES,
        cloudprofiler_root_tag=["route", "method"],
        cloudprofiler_worker_frame="true",
        **tagged("method"),
        **QUICK,
    )

    with server.load(BOTH):
        server.wait_for_profiles()
        path = server.wait_for_profiles()[-1]

    busy = profile_reader.read(path).where(owner_of)
    assert busy.samples
    for sample in busy.samples:
        route = f"route: /{owner_of(sample)}/:id"
        assert list(sample.names()[-3:]) == ["method: GET", route, "worker 1"], sample
    top = pprof.run("-tags", path)
    assert "/burner/:id" in top and "/sleeper/:id" in top


def test_focus_on_a_tag_shows_what_the_profile_says(uwsgi, profile_reader, pprof):
    server = uwsgi(processes=1, threads=2, route=ROUTES, **tagged(), **QUICK)

    with server.load(BOTH):
        server.wait_for_profiles()
        path = server.wait_for_profiles()[-1]

    profile = profile_reader.read(path)
    tagged_ns = sum(s.ns for s in profile.samples if s.labels.get("route") == "/burner/:id")
    focused = pprof.run("-tagfocus=route=^/burner/:id$ -top -unit=ns".split(), path)
    assert f"of {profile.total_ns}ns total" in focused and f"{tagged_ns}ns," in focused, focused
    assert "handle_burner" in focused and "handle_sleeper" not in focused


@pytest.mark.skipif(bool(gevents.missing()), reason=gevents.missing() or "there is one")
def test_greenlets_that_share_a_thread_have_the_tags_of_their_own_requests(uwsgi, profile_reader):
    # Few enough requests that the thread sleeps now and then: only then are parked stacks found.
    server = uwsgi(
        processes=1,
        gevent=20,
        gevent_monkey_patch="true",
        plugins=gevents.plugins(),
        route=ROUTES,
        **tagged(*PARTS),
        **QUICK,
    )

    with server.load(BOTH, threads=5) as load, profiles_of(server, profile_reader) as found:
        load.wait_for_requests(500)
    assert not load.failures, load.failures[:3]

    for profile in (found["cpu"], found["wall"]):
        assert {owner_of(sample) for sample in profile.samples} >= set(OWN)
        assert_no_sample_is_under_the_wrong_tag(profile)
    waiting = found["wall"].where(lambda s: owner_of(s) and s.labels["state"] == "greenlet")
    assert waiting.samples


BAD_ACTIONS = ["route", "=x", "Route=x", "route=", "path=x", "a b=x", "k" * 65 + "=x"]


@pytest.mark.parametrize("argument", BAD_ACTIONS)
def test_an_action_that_cannot_be_right_is_refused(argument, make_uwsgi):
    server = make_uwsgi(route=[f"^/ cloudprofiler-tag:{argument}"])
    server.errors_allowed = True

    assert server.launch().wait_for_exit() == 1
    assert "cloudprofiler-tag:KEY=VALUE" in server.our_errors[0], server.our_errors
