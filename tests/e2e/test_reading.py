"""The files are what pprof and its users expect.

SPDX-License-Identifier: MIT
"""

import re
import stat

import pytest
from testenv import bounds, processes
from testenv.profiles import profile_files
from testenv.uwsgi import QUICK

FILE_NAME = re.compile(r"cpu-\d{8}T\d{6}\.?\d{3}Z-shop-[A-Za-z0-9._-]+\.pb\.gz")


@pytest.fixture(scope="module")
def flask_file(make_uwsgi_for_module):
    """The file of a window that a loaded Flask app filled."""
    server = make_uwsgi_for_module(
        app="flask_shop",
        threads=2,
        cloudprofiler_service="shop",
        cloudprofiler_service_version="v1.2",
        cloudprofiler_output_interval=3,
        cloudprofiler_output_duration=2,
    ).start()
    with server.load("/catalogue", threads=4, rest_s=0.03):
        server.wait_for_window()
        server.wait_for_window(is_open=False)
        file = server.wait_for_profiles()[-1]
    server.stop()
    return file


def test_pprof_and_the_reference_proto_read_a_flask_apps_profile(flask_file, pprof, profile_reader):
    top = pprof.run("-top", flask_file)
    tags = pprof.run("-tags", flask_file)
    raw = pprof.run("-raw", flask_file)
    profile = profile_reader.read(flask_file)

    assert re.search(r"Type: cpu\b", top)
    assert re.search(r"\bprice\b", top) and "dispatch_request" in top
    assert "flask_shop.py" in raw and "flask/app.py" in raw
    assert re.search(r"worker:", tags) and re.search(r"thread:", tags)
    assert profile.label_values("worker") == {"1", "2"}
    assert {"uWSGIWorker1Core0", "uWSGIWorker2Core1"} <= profile.label_values("thread")
    assert profile.share("catalogue") > bounds.MAJORITY
    assert 0 < profile.ns_of("price") <= profile.ns_of("catalogue")
    assert profile.share("[unsampled]") <= bounds.UNSAMPLED
    for sample in profile.where(lambda sample: sample.names() != ("[unsampled]",)).samples:
        assert "thread" in sample.labels, sample
        assert sample.labels["thread"].startswith(f"uWSGIWorker{sample.labels['worker']}Core")


def test_the_profile_states_its_period_its_window_and_its_default_type(flask_file, profile_reader):
    profile = profile_reader.read(flask_file)
    message = profile.message

    text = message.string_table

    assert message.period == 10_000_000
    assert (text[message.period_type.type], text[message.period_type.unit]) == (
        "cpu",
        "nanoseconds",
    )
    assert text[message.default_sample_type] == "cpu"
    # A window that opens late ends when its turn says; one that loses half is left out.
    assert 1_000_000_000 <= message.duration_nanos <= 2_000_000_000
    assert message.time_nanos > 1_600_000_000 * 10**9
    assert profile.comment("service") == "shop v1.2"
    assert "CPython 3." in profile.comment("server") and "uWSGI 2." in profile.comment("server")
    # Native functions have the file of their library, which tells no lines.
    assert all(one.start_line > 0 for one in message.function if text[one.filename].endswith(".py"))


def test_files_have_names_that_sort_by_time_and_are_private(flask_file):
    assert FILE_NAME.fullmatch(flask_file.name), flask_file.name
    assert stat.S_IMODE(flask_file.stat().st_mode) == 0o600


def test_only_the_newest_files_are_kept_and_strangers_are_left_alone(uwsgi):
    server = uwsgi(cloudprofiler_output_interval=1, cloudprofiler_output_keep=2)
    stranger = server.profiles / "notes.txt"
    stranger.write_text("not ours")

    server.wait_for_profiles(2)
    first = profile_files(server.profiles)[0]
    with server.some_work():
        server.wait_for_profiles(2)

    assert len(profile_files(server.profiles)) <= 2
    assert not first.exists()
    assert stranger.read_text() == "not ours"


def test_the_period_can_be_chosen(uwsgi, profile_reader):
    server = uwsgi(cloudprofiler_period_ms=40, **QUICK)
    with server.some_work():
        server.wait_for_profiles()
        profile = profile_reader.read(server.wait_for_profiles()[0])

    assert profile.message.period == 40_000_000
    assert profile.total_count <= 2 * 1000 / 40 * 1.5


def test_stacks_deeper_than_the_limit_keep_their_leaves_under_a_truncated_root(
    uwsgi, profile_reader
):
    server = uwsgi(cloudprofiler_max_depth=3, **QUICK)
    with server.some_work("/nested?ms=20"):
        server.wait_for_profiles()
        profile = profile_reader.read(server.wait_for_profiles()[0])

    cut = {sample.names() for sample in profile.samples if "burn" in sample.names()}

    assert cut == {("burn", "inner", "middle", "[truncated]")}


@pytest.mark.parametrize(
    "option",
    [
        {"cloudprofiler_worker_frame": "true"},
        {"cloudprofiler_root_tag": "worker"},
        {
            "cloudprofiler_worker_frame": "true",
            "cloudprofiler_root_tag": ["thread", "worker", "gil"],
        },
    ],
)
def test_the_worker_can_be_the_root_frame(option, uwsgi, profile_reader):
    server = uwsgi(cloudprofiler_tag="thread", processes=1, **option, **QUICK)
    with server.some_work():
        server.wait_for_profiles()
        profile = profile_reader.read(server.wait_for_profiles()[0])

    assert {sample.names()[-1] for sample in profile.samples} == {"worker 1"}
    assert all(sample.names().count("worker 1") == 1 for sample in profile.samples)


def test_tags_can_be_chosen(uwsgi, profile_reader):
    server = uwsgi(cloudprofiler_tag="worker", processes=1, **QUICK)
    with server.some_work():
        server.wait_for_profiles()
        profile = profile_reader.read(server.wait_for_profiles()[0])

    assert profile.samples
    assert all(set(sample.labels) == {"worker"} for sample in profile.samples)


def test_cpu_time_outside_python_is_kept_as_uwsgis_own(uwsgi, profile_reader):
    server = uwsgi(processes=1, cloudprofiler_period_ms=1, **QUICK)
    with server.load("/pid", threads=1, rest_s=0.001):
        server.wait_for_profiles()
        profile = profile_reader.read(server.wait_for_profiles()[0])

    assert profile.ns_of("[uWSGI]", flat=True) > 0


def test_the_disabled_profiler_is_loaded_but_inert(uwsgi):
    by_option = uwsgi(cloudprofiler_disable="true")
    by_environment = uwsgi(env={"CLOUDPROFILER_DISABLE": "1"})
    by_word = uwsgi(env={"CLOUDPROFILER_DISABLE": "True"})

    for server in (by_option, by_environment, by_word):
        server.burst("/burn?ms=20", 10)
        assert all(not processes.tickers(pid) for pid in server.workers().values())
        assert len(processes.in_session(server.master_pid)) == 3, "master and two workers"
        assert server.log.count("[cloudprofiler]") == 1
