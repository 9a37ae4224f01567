"""Threads of C that enter Python by callbacks have a thread state only while they are in it.

SPDX-License-Identifier: MIT
"""

import sys

import pytest
from testenv import bounds
from testenv.build import build_library
from testenv.uwsgi import APPS

sys.path.insert(0, str(APPS))
import c_threads

# What stands for a stack without Python, and on whose threads: uWSGI's have a name of its own.
NO_FRAMES = {"[native]": False, "[unsampled]": False, "[uWSGI]": True}


def can_be(sample):
    names = tuple(reversed(sample.names()))
    is_core = sample.labels.get("thread", "").startswith("uWSGI")
    return (len(names) == 1 and NO_FRAMES.get(names[0]) == is_core) or any(
        names == stack[: len(names)] for stack in c_threads.STACKS
    )


@pytest.fixture(scope="module")
def profile(make_uwsgi_for_module, profile_reader):
    server = make_uwsgi_for_module(
        app="c_threads",
        processes=1,
        threads=3,
        cloudprofiler_period_ms=1,
        cloudprofiler_output_interval=60,
        cloudprofiler_output_duration=6,
    )
    build_library(APPS / "c_threads.c", server.directory / "c_threads.so")
    server.start()
    server.wait_for_window()
    with (
        server.load("/run", threads=2, seconds=5) as runs,
        server.load("/own", threads=1, seconds=5) as own,
    ):
        runs.join()
        own.join()
    read = profile_reader.read(server.wait_for_first_profile())
    server.stop()
    assert runs.done and own.done
    assert not runs.failures + own.failures
    return read


def test_no_stack_is_one_that_cannot_be(profile):
    wrong = [sample for sample in profile.samples if not can_be(sample)]

    assert not wrong, wrong[:5]


def test_callbacks_are_seen_on_their_threads(profile):
    print({name: profile.share(name) for name in profile.functions()}, profile.comments)
    for name in ("first_leaf", "second_leaf", "own_work"):
        assert profile.ns_of(name) > 0, name


def test_time_outside_of_python_is_no_functions(profile):
    in_threads = profile.where(lambda s: s.names()[-1] in {"first", "second", *NO_FRAMES})
    inside = in_threads.share("first") + in_threads.share("second")
    truth = c_threads.INSIDE_MS / (c_threads.INSIDE_MS + c_threads.OUTSIDE_MS)

    # Less is right too: a thread is not known to run Python before it was met inside.
    print(f"{inside:.3f} inside of Python for {truth:.3f}")
    assert inside <= truth + bounds.share(truth, in_threads.total_count)


def test_what_was_missed_is_little_and_counted(profile):
    print(profile.comments)
    assert int(profile.comment("missed nanoseconds")) <= bounds.MODEL * profile.total_ns
