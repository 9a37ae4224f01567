"""A window gives a CPU and a wall profile, as far as they are asked for.

SPDX-License-Identifier: MIT
"""

import subprocess
from collections import Counter

import pytest
from testenv import bounds
from testenv.checks import windows_until
from testenv.profiles import profile_files, wait_for_files, wall_file_of

CORES = 2
CLIENTS = 3


def pair_of(server, clients=CLIENTS):
    """The two files of one window under load."""
    with server.load("/", threads=clients):
        server.wait_for_profiles()
        cpu = server.wait_for_profiles()[-1]
        wall = wall_file_of(cpu)
    server.stop()
    return cpu, wall


@pytest.fixture(scope="module")
def pair(make_uwsgi_for_module):
    return pair_of(
        make_uwsgi_for_module(
            app="waits", processes=1, threads=CORES, cloudprofiler_service="shop"
        ).start()
    )


@pytest.fixture(scope="module")
def profiles(pair, profile_reader):
    return [profile_reader.read(path) for path in pair]


def by_stack(profile):
    """Count and time of each thread's stacks."""
    counts, times = Counter(), Counter()
    for sample in profile.samples:
        key = (sample.labels.get("thread"), sample.frames)
        counts[key] += sample.count
        times[key] += sample.ns
    return counts, times


def test_the_running_part_of_wall_time_is_the_cpu_time(profiles):
    cpu, wall = profiles
    running = wall.where(lambda sample: sample.labels["state"] == "running")

    assert (cpu.kind, wall.kind) == ("cpu", "wall")
    assert by_stack(running) == by_stack(cpu) and cpu.total_count > 0
    assert wall.message.time_nanos == cpu.message.time_nanos
    assert not any("state" in sample.labels for sample in cpu.samples)


def test_waiting_stands_where_it_happened_under_its_state(profiles):
    _, wall = profiles
    # Who wakes waits for a CPU and for the interpreter, how long is the machine's affair.
    asleep = wall.where(lambda s: s.labels["state"] not in ("running", "runnable", "gil"))

    least = bounds.nearly_all(asleep.total_count)
    assert asleep.share("nap", flat=True) >= least
    assert asleep.by_state()["sleep"] >= least * asleep.total_ns
    assert all(sample.count == 0 for sample in wall.samples if sample.labels["state"] == "runnable")
    assert "[idle]" not in wall.functions()


def test_comments_tell_how_wall_time_was_found(profiles):
    _, wall = profiles

    assert wall.by_state().get("runnable", 0) == int(wall.comment("runnable nanoseconds"))
    assert int(wall.comment("off-cpu looks")) > 10
    assert 0 < int(wall.comment("wall clock nanoseconds")) < 2 * CORES * wall.message.duration_nanos


def test_pprof_reads_a_wall_profile(pair, pprof):
    top = pprof.run("-top", pair[1])

    assert "Type: wall" in top and "nap" in top
    assert "state:" in pprof.run("-tags", pair[1])


def top_of(plugin_dir, *files):
    return subprocess.run(
        [plugin_dir / "cloudprofiler-gateway", "--top", *files],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_text_report_names_the_kind_and_splits_wall_time_by_state(pair, plugin_dir):
    cpu, wall = (top_of(plugin_dir, file).stdout for file in pair)
    both = top_of(plugin_dir, *pair)

    assert " s of CPU time in " in cpu and "by state" not in cpu
    assert " s of wall time in " in wall and "by state" in wall
    assert both.returncode == 1 and "it is a wall profile" in both.stderr


@pytest.mark.parametrize("off", ["cpu", "wall"])
def test_a_kind_that_is_off_is_not_written(off, uwsgi, profile_reader):
    on = {"cpu": "wall", "wall": "cpu"}[off]
    server = uwsgi(app="waits", **{f"cloudprofiler_disable_{off}_profiling": "true"})
    with server.load("/", threads=CLIENTS):
        wait_for_files(server.profiles, 2, kind=on)
        server.stop()

    profile = profile_reader.read(profile_files(server.profiles, on)[-1])
    assert profile_files(server.profiles, off) == []
    assert profile.kind == on and "work" in profile.functions()


def test_idle_threads_are_kept_and_states_left_out_as_asked(make_uwsgi, profile_reader):
    server = make_uwsgi(
        app="waits",
        processes=1,
        threads=CORES,
        cloudprofiler_wall_idle="true",
        cloudprofiler_tag="thread",
    ).start()

    with server.load("/", threads=1):  # so that one core has nothing to do
        _, wall = windows_until(
            lambda _, wall: {"[idle]", "nap", "work"} <= wall.functions(),
            "a core at rest and one at work",
            server,
            profile_reader,
        )

    assert not any(sample.labels.keys() - {"thread"} for sample in wall.samples)
