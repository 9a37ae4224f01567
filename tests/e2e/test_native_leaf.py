"""What native code a sample stood in.

SPDX-License-Identifier: MIT
"""

import contextlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from testenv import bounds, stats
from testenv.endpoint import TOKEN, Endpoint
from testenv.profiles import merged
from testenv.uwsgi import QUICK
from testenv.wait import wait_for

LIBRARIES = {
    "zlib": r"\[libz\.so\.1\]$",
    "sha256": r"\[(libcrypto\.so\.\S+|_hashlib\.\S+\.so|_sha2\S*\.so)\]$",
}
OFTEN = {**QUICK, "cloudprofiler_period_ms": 2}
SAMPLES_MIN = 200
HARAKIRI_SECONDS = 3
NAMES_MIN = 50  # where nearly every sample shows the name that is looked for, or must not be there
LOADER_CALL = "__tls_get_addr "
# No statistics: what the interpreter does, which is a call for each look at its thread state.
LOADER_SHARE_MAX = 0.2
C_SOURCE = """
#define API __attribute__((visibility("default")))
static volatile long sink;
static __attribute__((noinline)) void inner(long n) { while (n--) sink += n; }
API void burn(long n) { inner(n); }
"""


def burn(server, path, reader, name, samples_min=SAMPLES_MIN):
    """The samples below the function `name` in the profiles of as many windows under load as it
    takes for samples_min of them: how many fit into a second is the machine's affair."""
    profiles = []

    def below():
        return merged(profiles).where(lambda sample: name in sample.names())

    with server.load(path, threads=1):
        while not profiles or below().total_count < samples_min:
            profiles += [reader.read(file) for file in server.wait_for_profiles()]
    return below()


def leaf_names(profile):
    return {sample.leaf.name if sample.leaf else None for sample in profile.samples}


@pytest.fixture
def server(uwsgi):
    return uwsgi(app="native_burn", processes=1, **OFTEN)


@pytest.fixture
def make_object(workspace, request):
    """Compiles C_SOURCE into a shared object, with gcc's `options`."""

    def make(name, *options):
        directory = workspace / request.node.name
        directory.mkdir(exist_ok=True)
        path = directory / name
        linked = (f"-Wl,-soname,{name}", "-Wl,--build-id=sha1")
        subprocess.run(
            ["gcc", "-O1", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path), *options, *linked],
            input=C_SOURCE.encode(),
            check=True,
            timeout=60,
        )
        return path

    return make


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_burn_in_a_library_has_its_leaf(server, profile_reader, library):
    burnt = burn(server, f"/{library}", profile_reader, f"burn_{library}")
    is_in = re.compile(LIBRARIES[library])
    found = burnt.where(lambda sample: sample.leaf and is_in.search(sample.leaf.name))

    count = burnt.total_count
    assert found.total_count >= bounds.nearly_all(count) * count, leaf_names(burnt)
    assert all(sample.leaf.build_id for sample in found.samples)


def assert_places_in_files(profile):
    """Each place in an object file has its address, within the mapping, and the file a build id."""
    text = profile.message.string_table
    mappings = {one.id: one for one in profile.message.mapping}
    places = [one for one in profile.message.location if mappings[one.mapping_id].filename]
    assert places, leaf_names(profile)
    for place in places:
        mapping = mappings[place.mapping_id]
        assert mapping.memory_start <= place.address < mapping.memory_limit
        assert re.fullmatch(r"[0-9a-f]{8,}", text[mapping.build_id])


def test_slow_requests_harakiri_and_filters_keep_addresses_and_build_ids(
    uwsgi, profile_reader, workspace
):
    server = uwsgi(
        app="stuck",
        processes=1,
        harakiri=HARAKIRI_SECONDS,
        stats=stats.SOCKET,
        cloudprofiler_slow_request=1,
        cloudprofiler_output_interval=600,
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_http_token=TOKEN,
    )
    endpoint = Endpoint(server)

    def file_of(pattern):
        return wait_for(lambda: list(server.profiles.glob(pattern)), pattern, 60)[0]

    def answered(path):
        file = workspace / "answered.pb.gz"
        file.write_bytes(endpoint.ask(path).body)
        return profile_reader.read(file)

    server.get("/crunch/1.5")
    assert_places_in_files(profile_reader.read(file_of("slow-*.pb.gz")))

    with server.load("/crunch/0.2", threads=1):
        assert_places_in_files(answered("/debug/pprof/wall?seconds=1&worker=1"))
    kept = endpoint.ask("/profiles/").json()["recent"][0]
    assert (kept["kind"], kept["source"]) == ("wall", "demand")
    profile = answered(f"/profiles/{kept['id']}?worker=1")
    assert_places_in_files(profile)
    assert profile.comments

    stats.wait_until_idle(server)
    with contextlib.suppress(OSError):
        server.get("/crunch/600")
    assert_places_in_files(profile_reader.read(file_of("harakiri-*.pb.gz")))


def test_a_burn_in_python_has_none(server, profile_reader):
    profile = burn(server, "/pure", profile_reader, "burn_pure")

    # An interpreter in a shared library may ask the loader where its thread state is.
    asks_loader = profile.where(lambda one: one.leaf and one.leaf.name.startswith(LOADER_CALL))
    assert leaf_names(profile) - leaf_names(asks_loader) == {None}
    assert asks_loader.total_ns <= LOADER_SHARE_MAX * profile.total_ns


def test_pprof_shows_the_library(server, pprof):
    with server.some_work("/zlib", threads=1):
        server.wait_for_profiles()
        (file,) = server.wait_for_profiles()[:1]

    assert "[libz.so.1]" in pprof.run("-top", file)


def test_functions_are_named_from_the_full_table(server, make_object, profile_reader):
    path = make_object("libnamed.so.1")
    burnt = burn(server, f"/object?path={path}", profile_reader, "burn_object", NAMES_MIN)

    assert "inner [libnamed.so.1]" in leaf_names(burnt)


def test_a_stripped_library_is_named_alone(server, make_object, profile_reader):
    path = make_object("libbare.so.1", "-s")
    names = leaf_names(
        burn(server, f"/object?path={path}", profile_reader, "burn_object", NAMES_MIN)
    )

    assert "[libbare.so.1]" in names
    assert not any("inner" in (name or "") for name in names)


def test_a_library_that_was_replaced_is_not_asked(server, make_object, profile_reader):
    path = make_object("libreplaced.so")
    with server.load(f"/object?path={path}", threads=1):
        maps = Path(f"/proc/{server.workers()[1]}/maps")
        wait_for(lambda: str(path) in maps.read_text(), "the library's mapping")
        shutil.copy(path, path.with_suffix(".new")).replace(path)
        server.wait_for_profiles()  # its window began before
    names = leaf_names(
        burn(server, f"/object?path={path}", profile_reader, "burn_object", NAMES_MIN)
    )

    assert "[libreplaced.so]" in names
    assert not any("inner" in (name or "") for name in names)


def test_a_library_that_is_loaded_in_the_window_is_found(make_uwsgi, make_object, profile_reader):
    path = make_object("liblate.so.1")
    server = make_uwsgi(
        app="native_burn",
        processes=1,
        cloudprofiler_output_interval=4,
        cloudprofiler_output_duration=2,
    ).start()
    server.wait_for_window()
    with server.load("/zlib", count=3):
        pass
    with server.some_work(f"/object?path={path}", threads=1):
        file = server.wait_for_first_profile()
    profile = profile_reader.read(file)
    names = leaf_names(profile.where(lambda sample: "burn_object" in sample.names()))

    assert "inner [liblate.so.1]" in names and "[unknown]" not in names


def test_the_option_turns_it_off(uwsgi, profile_reader):
    server = uwsgi(app="native_burn", processes=1, cloudprofiler_native_leaf="false", **OFTEN)

    assert leaf_names(burn(server, "/zlib", profile_reader, "burn_zlib", NAMES_MIN)) == {None}
