"""A dump lists every request that runs, with its stack, whatever loop serves it and however many
cores there are: by the endpoint as text and as JSON, to the log, before harakiri.

SPDX-License-Identifier: MIT
"""

import contextlib
import re
import socket

import pytest
from testenv import gevents
from testenv.endpoint import Endpoint
from testenv.load import asked, get
from testenv.wait import wait_for

SECONDS = 90
HANG_SECONDS = 600
MANY = 50  # tests/apps/hangs.py has so many functions
SLOW_SECONDS = 1
HARAKIRI_SECONDS = 4
QUIET = {"cloudprofiler_output_interval": 600}

GEVENT = pytest.mark.skipif(bool(gevents.missing()), reason=gevents.missing() or "there is one")
GREENLETS = pytest.mark.skipif(
    bool(gevents.missing_engine("greenlet")), reason=gevents.missing_engine("greenlet") or "-"
)
ASYNCIO = pytest.mark.skipif(
    bool(gevents.missing_engine("greenlet", "asyncio")),
    reason=gevents.missing_engine("greenlet", "asyncio") or "-",
)


def with_gevent(cores):
    return {"plugins": gevents.plugins(), "gevent": cores}


LOOPS = {
    "threads": {"threads": MANY},
    "gevent_50": with_gevent(MANY),
    "gevent_300": with_gevent(300),
    "gevent_1000": with_gevent(1000),
    "greenlets": {"plugins": gevents.plugins("greenlet"), "async": 300, "greenlet": "true"},
    "asyncio": {
        "plugins": gevents.plugins("greenlet", "asyncio"),
        "asyncio": 300,
        "greenlet": "true",
    },
}
MARKS = {"greenlets": GREENLETS, "asyncio": ASYNCIO}
EACH_LOOP = [
    pytest.param(
        options, marks=MARKS.get(name, GEVENT if name.startswith("gevent") else ()), id=name
    )
    for name, options in LOOPS.items()
]


def hanging_server(uwsgi, loop, **options):
    server = uwsgi(
        app="hangs",
        processes=1,
        cloudprofiler_http="%dprofiler.sock",
        **{**QUIET, **loop, **options},
    )
    wait_for((server.directory / "profiler.sock").exists, "the endpoint")
    return server


def stacks(server):
    return get(server.directory / "profiler.sock", "/debug/pprof/stacks").decode()


def stacks_of(text):
    """The functions of the stack under each URI's line; lines that follow each other share it."""
    found, uris = {}, []
    is_head = False
    for line in text.splitlines():
        head = re.match(r"  (?:thread [^:]*|a thread that is not known): GET (\S+), for ", line)
        if line.startswith("  ") and not line.startswith("    "):
            uris = uris if is_head else []
            uris += [head.group(1)] if head else []
            is_head = True
        else:
            is_head = False
        frame = re.match(r"      ([\w.]+) \(", line)
        for uri in uris:
            found.setdefault(uri, set()).update({frame.group(1)} if frame else ())
    return found


def json_stacks_of(answer):
    found = {}
    for worker in answer["workers"]:
        for entry in worker["threads"]:
            functions = {frame["name"] for stack in entry["stacks"] for frame in stack["frames"]}
            for each in [entry, *entry["alike"]]:
                if each["request"]:
                    found[each["request"]["uri"]] = functions
    return found


def hung_in_their_functions(found, paths):
    """Whether each path is there, with its own function and no other's."""
    return all(
        {name for name in found.get(path, ()) if name.startswith("hang_")}
        == {f"hang_{path.split('/')[2]}"}
        for path in paths
    )


@pytest.mark.parametrize("loop", EACH_LOOP)
def test_all_requests_that_hang_are_named_with_their_functions(uwsgi, loop):
    server = hanging_server(uwsgi, loop)
    endpoint = Endpoint(server, token=None)
    paths = [f"/hang/{number}/{HANG_SECONDS}" for number in range(MANY)]

    with asked(server, paths, server.kill):
        wait_for(
            lambda: hung_in_their_functions(stacks_of(stacks(server)), paths),
            "all requests in the text",
            SECONDS,
        )
        answer = endpoint.ask("/debug/pprof/stacks?format=json").json()
        server.write_fifo("d")
        server.wait_for_log(r"^\[cloudprofiler\] .*GET /hang/", times=MANY, seconds=SECONDS)
        logged = re.sub(r"^\[cloudprofiler\] ", "", server.log, flags=re.MULTILINE)

    assert hung_in_their_functions(json_stacks_of(answer), paths), answer
    assert answer["cut"] is False
    assert hung_in_their_functions(stacks_of(logged), paths), logged


def wait_for_requests(server, count):
    """The text that names so many."""

    def named():
        text = stacks(server)
        return text if text.count("GET /hang/") == count else None

    return wait_for(named, f"{count} requests in the text", SECONDS)


@GEVENT
def test_the_longest_stand_first_and_equal_stacks_once(uwsgi):
    server = hanging_server(uwsgi, with_gevent(300))
    paths = [f"/hang/{number}/{HANG_SECONDS}" for number in (3, 1, 3, 2)]

    with contextlib.ExitStack() as hanging:
        for count, path in enumerate(paths, 1):
            hanging.enter_context(asked(server, [path], server.kill))
            text = wait_for_requests(server, count)

    heads = re.findall(r": GET (\S+), for ([\d.]+) s$", text, re.MULTILINE)
    assert [path for path, _ in heads] == [paths[0], paths[2], paths[1], paths[3]], text
    assert float(heads[0][1]) >= float(heads[2][1]) >= float(heads[3][1])
    assert len(re.findall(r"^      hang_3 \(", text, re.MULTILINE)) == 1, text


@GEVENT
def test_a_request_whose_stack_is_inside_of_a_context_is_named(uwsgi):
    server = hanging_server(uwsgi, with_gevent(300))
    paths = [f"/nested/{number}/{HANG_SECONDS}" for number in range(3)]

    with asked(server, paths, server.kill):
        wait_for(
            lambda: hung_in_their_functions(stacks_of(stacks(server)), paths),
            "all requests in the text",
            SECONDS,
        )


@GEVENT
def test_a_greenlet_that_a_request_makes_is_not_taken_for_another_request(uwsgi):
    server = hanging_server(uwsgi, with_gevent(300))
    paths = [f"/spawned/{HANG_SECONDS}", f"/hang/1/{HANG_SECONDS}"]

    def both(text):
        found = stacks_of(text)
        return text if set(found) == set(paths) and "hang_0" in text else None

    with asked(server, paths, server.kill):
        text = wait_for(lambda: both(stacks(server)), "both requests in the text", SECONDS)

    found = stacks_of(text)
    assert "spawned" in found[paths[0]] and "hang_0" not in found[paths[0]], text
    assert "hang_1" in found[paths[1]] and "hang_0" not in found[paths[1]], text
    unknown = text.split(": 1 greenlet of no request that is known\n")[1]
    assert "hang_0" in unknown.split("\n  thread ")[0], text


@GEVENT
def test_a_request_without_a_stack_is_listed_all_the_same(uwsgi):
    """It has left Python: uWSGI waits for a client that does not read."""
    server = hanging_server(uwsgi, with_gevent(300))

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(server.directory / "http.sock"))
        client.sendall(b"GET /download HTTP/1.0\r\n\r\n")
        wait_for(
            lambda: re.search(
                r"^  a thread that is not known: GET /download, for [\d.]+ s\n"
                r"    its stack was not seen$",
                stacks(server),
                re.MULTILINE,
            ),
            "the request without a stack",
            SECONDS,
        )


@pytest.mark.parametrize(
    "loop",
    [each for each in EACH_LOOP if each.id in ("gevent_300", "gevent_1000", "greenlets", "asyncio")]
    + [pytest.param(with_gevent(241), marks=GEVENT, id="gevent_241")],
)
def test_a_slow_request_has_a_profile_whatever_core_serves_it(uwsgi, profile_reader, loop):
    server = hanging_server(uwsgi, loop, cloudprofiler_slow_request=SLOW_SECONDS)

    server.get("/hang/7/4")

    (path,) = wait_for(
        lambda: list(server.profiles.glob("slow-*-worker1.pb.gz")), "a slow request", SECONDS
    )
    profile = profile_reader.read(path)
    assert profile.label_values("uri") == {"/hang/7/4"}
    assert profile.share("hang_7") == 1


@pytest.mark.parametrize("loop", EACH_LOOP)
def test_harakiri_names_what_hung(uwsgi, loop):
    server = hanging_server(uwsgi, loop, harakiri=HARAKIRI_SECONDS)
    paths = [f"/hang/{number}/{HANG_SECONDS}" for number in range(10)]

    with asked(server, paths, server.kill):
        server.wait_for_log(r"harakiri: what worker 1 .*:$", seconds=SECONDS)
        (file,) = wait_for(
            lambda: list(server.profiles.glob("harakiri-*.txt")), "its text", SECONDS
        )
        text = wait_for(file.read_text, "what is in it", SECONDS)

    assert hung_in_their_functions(stacks_of(text), paths), text
