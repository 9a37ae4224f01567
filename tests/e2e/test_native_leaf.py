"""What native code a sample stood in.

SPDX-License-Identifier: MIT
"""

import os
import re
import shutil
import subprocess

import pytest
from testenv.wait import wait_for

LIBRARIES = {
    "zlib": r"\[libz\.so\.1\]$",
    "sha256": r"\[(libcrypto\.so\.\S+|_hashlib\.\S+\.so|_sha2\S*\.so)\]$",
}
C_SOURCE = """
#define API __attribute__((visibility("default")))
static volatile long sink;
static __attribute__((noinline)) void inner(long n) { while (n--) sink += n; }
API void burn(long n) { inner(n); }
"""


def profile_of(server, path, reader, clients=1):
    """Of one whole window under load."""
    with server.load(path, threads=clients):
        server.wait_for_profiles()
        (file,) = server.wait_for_profiles()[:1]
    return reader.read(file)


def count_of(profile, keep):
    return sum(sample.count for sample in profile.samples if keep(sample))


def below(name):
    """Samples with that function on the stack."""
    return lambda sample: name in sample.names()


def leaf_names(profile, name):
    return {s.leaf.name if s.leaf else None for s in profile.samples if name in s.names()}


@pytest.fixture
def server(uwsgi):
    return uwsgi(app="native_burn", processes=1)


@pytest.fixture
def make_object(workspace, request):
    """Compiles C_SOURCE into a shared object, with gcc's `options`."""

    def make(name, *options):
        directory = workspace / request.node.name
        directory.mkdir(exist_ok=True)
        path = directory / name
        subprocess.run(
            ["gcc", "-O1", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-x", "c", "-", *options]
            + ["-Wl,--build-id=sha1", "-o", str(path)],
            input=C_SOURCE.encode(),
            check=True,
            timeout=60,
        )
        return path

    return make


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_burn_in_a_library_has_its_leaf(server, profile_reader, library):
    profile = profile_of(server, f"/{library}", profile_reader)
    burnt = profile.where(below(f"burn_{library}"))
    is_in = re.compile(LIBRARIES[library])
    found = count_of(burnt, lambda s: s.leaf and is_in.search(s.leaf.name))

    assert burnt.total_count > 20
    assert found >= 0.95 * burnt.total_count, leaf_names(profile, f"burn_{library}")
    assert all(s.leaf.build_id for s in burnt.samples if s.leaf and is_in.search(s.leaf.name))


def test_a_burn_in_python_has_none(server, profile_reader):
    profile = profile_of(server, "/pure", profile_reader)

    assert count_of(profile, below("burn_pure")) > 20
    assert leaf_names(profile, "burn_pure") == {None}


def test_pprof_shows_the_library(server, pprof):
    with server.load("/zlib", threads=1):
        server.wait_for_profiles()
        (file,) = server.wait_for_profiles()[:1]

    assert "[libz.so.1]" in pprof.run("-top", file)


def test_functions_are_named_from_the_full_table(server, make_object, profile_reader):
    path = make_object("libnamed.so.1")
    profile = profile_of(server, f"/object?path={path}", profile_reader)

    assert "inner [libnamed.so.1]" in leaf_names(profile, "burn_object")


def test_a_stripped_library_is_named_alone(server, make_object, profile_reader):
    path = make_object("libbare.so.1", "-s")
    profile = profile_of(server, f"/object?path={path}", profile_reader)

    assert "[libbare.so.1]" in leaf_names(profile, "burn_object")
    assert not any("inner" in (name or "") for name in leaf_names(profile, "burn_object"))


def test_a_library_that_was_replaced_is_not_asked(server, make_object, profile_reader):
    path = make_object("libreplaced.so")
    with server.load(f"/object?path={path}", threads=1):
        server.wait_for_window()
        pid = server.workers()[1]
        maps = f"/proc/{pid}/maps"
        wait_for(lambda: str(path) in open(maps).read(), "the library's mapping")
        other = shutil.copy(path, path.with_suffix(".new"))
        os.replace(other, path)
        server.wait_for_profiles()
        (file,) = server.wait_for_profiles()[:1]
    names = leaf_names(profile_reader.read(file), "burn_object")

    assert "[libreplaced.so]" in names
    assert not any("inner" in (name or "") for name in names)


def test_a_library_that_is_loaded_in_the_window_is_found(make_uwsgi, make_object, profile_reader):
    path = make_object("liblate.so.1")
    server = make_uwsgi(
        app="native_burn",
        processes=1,
        cloudprofiler_output_interval=6,
        cloudprofiler_output_duration=4,
    ).start()
    server.wait_for_window()
    with server.load("/zlib", count=3):
        pass
    with server.load(f"/object?path={path}", threads=1):
        file = server.wait_for_first_profile()
    names = leaf_names(profile_reader.read(file), "burn_object")

    assert "inner [liblate.so.1]" in names and "[unknown]" not in names


def test_the_option_turns_it_off(uwsgi, profile_reader):
    server = uwsgi(app="native_burn", processes=1, cloudprofiler_native_leaf="false")
    profile = profile_of(server, "/zlib", profile_reader)

    assert count_of(profile, below("burn_zlib")) > 20
    assert leaf_names(profile, "burn_zlib") == {None}
    assert len(profile.message.mapping) == 1
