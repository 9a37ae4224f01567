"""Tags that an app sets by the module cloudprofiler: each sample of part_NAME and rest_NAME carries
the tag part=NAME, and of part_none none (tests/apps/tagged.py).

SPDX-License-Identifier: MIT
"""

import subprocess

import pytest
from testenv import gevents
from testenv.build import PYTHON
from testenv.profiles import merged, wall_file_of
from testenv.uwsgi import PYTHON_LAST, QUICK
from testenv.wait import wait_for

ENOUGH_SAMPLES = 10  # of each function
PATIENCE_S = 90
# Many samples of little work.
OFTEN = {**QUICK, "cloudprofiler_period_ms": 2}
REST_S = 0.03  # of a client behind each answer

# What each path runs: the values of `part`.
PARTS = {
    "/nested": {"none", "outer", "inner"},
    "/exception": {"raising", "around", "none"},
    "/decorators": {"method", "function", "none"},
    "/threads": {"starter", "thread", "none"},
    "/generators": {"first", "generator", "none"},
    "/request": {"none", "request", "inside", "later"},
    "/open": {"none", "open"},
}
TASKS = {"first", "second", "coroutine", "around", "none"}
GREENLETS = {"request", "held", "child", "none"}


def python_version():
    ask = "import sys; print(sys.version_info[1])"
    return int(subprocess.check_output([PYTHON, "-c", ask], timeout=60))


def part_of(sample):
    """The name that the sample's functions say, or None."""
    names = {n.split("_", 1)[1] for n in sample.names() if n.startswith(("part_", "rest_"))}
    assert len(names) <= 1, sample
    return names.pop() if names else None


def assert_true(profile):
    """No sample is under another's tag; returns the values seen and how many samples each has."""
    seen = {}
    for sample in profile.samples:
        part = part_of(sample)
        if part is not None:
            assert sample.labels.get("part") == (None if part == "none" else part), sample
            seen[part] = seen.get(part, 0) + sample.count
    return seen


def watch(server, reader, parts, kinds=("cpu", "wall")):
    """Profiles of the server, of as many windows as it takes to have seen all parts."""
    seen = {kind: {} for kind in kinds}
    profiles = []

    def are_seen():
        path = server.wait_for_profiles()[-1]
        for kind in kinds:
            profile = reader.read(path if kind == "cpu" else wall_file_of(path))
            profiles.append(profile)
            for part, count in assert_true(profile).items():
                seen[kind][part] = seen[kind].get(part, 0) + count
        counts = [seen[kind].get(part, 0) for kind in kinds for part in parts]
        return min(counts) >= ENOUGH_SAMPLES

    try:
        wait_for(are_seen, f"{ENOUGH_SAMPLES} samples of each of {parts}", PATIENCE_S)
    finally:
        print(seen)
    for kind in kinds:
        assert set(seen[kind]) == set(parts)
    return profiles


@pytest.mark.parametrize("path", PARTS)
def test_each_sample_carries_what_was_set_around_it(path, uwsgi, profile_reader):
    server = uwsgi(app="tagged", processes=1, threads=2, **OFTEN)

    with (
        server.load(path, threads=3, rest_s=REST_S) as load,
        server.load("/plain", threads=1, rest_s=REST_S) as plain,
    ):
        watch(server, profile_reader, PARTS[path])

    assert not load.failures + plain.failures


@pytest.mark.skipif(python_version() < 7, reason="needs CPython 3.7 or later: make test PYTHON=...")
def test_tasks_of_asyncio_have_their_own(uwsgi, profile_reader):
    # asyncio.run() leaves SIGINT to Python: such a worker ends when uWSGI's mercy does.
    server = uwsgi(app="tagged", processes=1, worker_reload_mercy=2, **OFTEN)

    with server.load("/tasks", threads=2, rest_s=REST_S) as load:
        watch(server, profile_reader, TASKS)

    assert not load.failures


@pytest.mark.skipif(bool(gevents.missing()), reason=gevents.missing() or "there is one")
@pytest.mark.skipif(python_version() < 7, reason="needs CPython 3.7 or later: make test PYTHON=...")
def test_greenlets_have_their_own(uwsgi, profile_reader):
    server = uwsgi(app="tagged", plugins=gevents.plugins(), processes=1, gevent=20, **OFTEN)

    with server.load("/greenlets", threads=20, rest_s=0.3) as load:
        watch(server, profile_reader, GREENLETS, kinds=("cpu",))

    assert not load.failures


@pytest.mark.parametrize("form", ["threads off", "two workers, plugins the other way round"])
def test_the_module_is_there_in_all_forms(form, uwsgi, profile_reader):
    options = {"processes": 1} if form == "threads off" else {"plugins": PYTHON_LAST}
    server = uwsgi(app="tagged", **options, **OFTEN)

    with server.load("/nested", threads=2, rest_s=REST_S) as load:
        watch(server, profile_reader, PARTS["/nested"], kinds=("cpu",))

    assert not load.failures
    assert server.get("/enabled") == "False True"


def test_mules_tag_their_own_work(uwsgi, profile_reader):
    server = uwsgi(app="tagged", processes=1, mule="tagged_mule.py", **OFTEN)

    watch(server, profile_reader, {"none", "mule"})


def test_two_interpreters_of_one_process_have_it(uwsgi, profile_reader):
    server = uwsgi(
        app="tagged",
        processes=1,
        threads=2,
        wsgi_file=None,
        mount=["/first=tagged.py", "/second=tagged.py"],
        manage_script_name="true",
        **OFTEN,
    )

    with (
        server.load("/first/nested", rest_s=REST_S) as first,
        server.load("/second/request", rest_s=REST_S) as second,
    ):
        watch(server, profile_reader, PARTS["/nested"] | PARTS["/request"])

    assert not first.failures + second.failures


def test_without_a_profiler_the_module_does_nothing(uwsgi):
    server = uwsgi(app="tagged", processes=1, threads=2, cloudprofiler_disable="true")

    for path in ("/nested", "/exception", "/decorators", "/threads", "/generators"):
        server.burst(path, 1)
    assert server.get("/enabled") == "False False"


def test_routing_and_the_module_give_the_same_split(uwsgi, profile_reader):
    server = uwsgi(
        app="tagged",
        processes=2,
        threads=2,
        route=[
            "^/seventy cloudprofiler-tag:route=seventy",
            "^/thirty cloudprofiler-tag:route=thirty",
        ],
        **QUICK,
    )

    profiles = []
    with server.some_work("/seventy") as seventy, server.some_work("/thirty") as thirty:
        server.wait_for_profiles()
        for _ in range(3):
            profiles.append(profile_reader.read(server.wait_for_profiles()[-1]))

    assert not seventy.failures + thirty.failures
    profile = merged(profiles).where(lambda sample: "split" in sample.names())
    burning = profile.where(lambda sample: "burn" in sample.names())
    assert len(burning.samples) > 0 and burning.label_values("route") == {"seventy", "thirty"}
    for sample in burning.samples:
        assert sample.labels["api"] == sample.labels["route"], sample
