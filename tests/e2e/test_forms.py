"""Every form of a uWSGI instance is profiled, with no other option needed.

SPDX-License-Identifier: MIT
"""

import os

import pytest
from testenv import needs, processes
from testenv.build import PYTHON_PLUGIN
from testenv.checks import assert_profiles_go_on, windows_until
from testenv.profiles import merged, profile_files
from testenv.uwsgi import PYTHON_FIRST, PYTHON_LAST, QUICK, WITHOUT_PROFILER
from testenv.wait import wait_for

ENOUGH_CPU_NS = 200_000_000  # about 20 samples: their absence is no chance
# At each moment some client waits for an answer, which takes little CPU time.
IN_FLIGHT = ["/burn?ms=2", "/rest?ms=20"]

FORMS = {
    "threads off": {},
    "four threads": {"threads": 4},
    "lazy-apps": {"lazy_apps": "true"},
    "no master": {"master": None, "processes": None, "master_fifo": None},
    "no master, threads": {
        "master": None,
        "processes": None,
        "master_fifo": None,
        "threads": 2,
    },
    "single interpreter": {"single_interpreter": "true"},
    "two mounts": {"wsgi_file": None, "mount": ["/=burn.py", "/second=burn.py"]},
}


@pytest.mark.parametrize("form", FORMS)
def test_profiles_go_on_with(form, uwsgi, profile_reader):
    assert_profiles_go_on(uwsgi(**QUICK, **FORMS[form]), profile_reader)


@pytest.mark.skipif(not PYTHON_PLUGIN, reason=needs.SEPARATE_PYTHON)
def test_the_profiler_may_be_loaded_before_python(uwsgi, profile_reader):
    assert_profiles_go_on(uwsgi(plugins=PYTHON_LAST), profile_reader)


@pytest.mark.skipif(os.getuid() != 0, reason=needs.ROOT)
def test_a_server_that_starts_as_root_and_becomes_another_user_is_profiled(uwsgi, profile_reader):
    server = uwsgi(user="www-data")

    assert_profiles_go_on(server, profile_reader)

    assert {path.owner() for path in server.profiles.iterdir()} == {"www-data"}


def by_signal(server):
    server.reload_by_signal()


def by_chain(server):
    complete = "chain reloading complete"
    before = server.log.count(complete)
    server.write_fifo("c")
    server.wait_for_log(complete, before + 1)


def touch(path):
    later = path.stat().st_mtime + 10  # uWSGI compares whole seconds
    os.utime(path, (later, later))


def by_touch(server):
    touch(server.directory / "uwsgi.ini")


def by_code_change(server):
    """uWSGI compares times at its looks, once a second: only a change after the first is seen."""
    notice = "has been modified"
    before = server.log.count(notice)

    def is_noticed():
        touch(server.directory / "burn.py")
        return server.log.count(notice) > before

    wait_for(is_noticed, "the notice of changed code")


def by_fifo(server):
    server.write_fifo("r")


def by_fifo_workers_only(server):
    server.write_fifo("w")


RELOADS = {
    "SIGHUP": (by_signal, {}),
    "SIGHUP, lazy-apps": (by_signal, {"lazy_apps": "true"}),
    "chain, lazy-apps": (by_chain, {"lazy_apps": "true"}),
    "touch": (by_touch, {"touch_reload": "%p"}),
    "fifo": (by_fifo, {}),
    "fifo, workers only": (by_fifo_workers_only, {}),
    # Each worker looks for changes and asks for a reload: a second one would come while the first
    # one's workers start.
    "py-autoreload": (
        by_code_change,
        {"py_autoreload": 1, "enable_threads": "true", "processes": 1},
    ),
}


def failures_over_reloads(server, reload, workers):
    """Requests that fail while the server reloads twice under load."""
    with server.load(IN_FLIGHT, threads=4) as load:
        for _ in range(2):
            old = server.wait_for_workers(workers)
            # A worker that is told to end while it starts misses that, profiler or not, and
            # uWSGI kills it later, in mid-request.
            load.wait_for_bodies({str(pid).encode() for pid in old.values()})
            reload(server)
            server.wait_for_new_workers(old)
        load.wait_for_bodies({str(pid).encode() for pid in server.workers().values()})
    return load.failures


@pytest.mark.parametrize("verb", RELOADS)
def test_reloads_under_load_fail_no_request_and_profiles_go_on(verb, uwsgi, profile_reader):
    reload, options = RELOADS[verb]
    server = uwsgi(plugins=PYTHON_FIRST, **QUICK, **options)

    workers = options.get("processes", 2)
    failures = failures_over_reloads(server, reload, workers)

    assert_profiles_go_on(server, profile_reader)
    if failures:  # uWSGI's own?
        server.stop()
        plain = uwsgi(plugins=WITHOUT_PROFILER, **options)
        assert len(failures) <= len(failures_over_reloads(plain, reload, workers)), failures[:3]


def own_functions(profile):
    return {name for name in profile.functions() if name.startswith("own_function_of_")}


def test_workers_that_max_requests_replaces_are_profiled(uwsgi, profile_reader):
    server = uwsgi(max_requests=50, min_worker_lifetime=2, **QUICK)
    first = server.wait_for_workers(2)

    with server.load("/own?ms=5", threads=4, rest_s=0.05) as load:
        server.wait_for_new_workers(first)
        profile, _ = windows_until(
            lambda cpu, _: own_functions(cpu), "samples of the new workers", server, profile_reader
        )

    assert not load.failures, load.failures[:3]
    assert not own_functions(profile) & {f"own_function_of_{pid}" for pid in first.values()}


def test_workers_that_cheaper_starts_later_are_profiled(uwsgi, profile_reader):
    server = uwsgi(processes=3, cheaper=1, cheaper_initial=1, cheaper_step=2, **QUICK)
    assert set(server.workers()) == {1}

    with server.load(["/own?ms=10", "/rest?ms=30"], threads=6):
        server.wait_for_log("spawned uWSGI worker 3")
        windows_until(
            lambda cpu, _: {"1", "2", "3"} <= cpu.label_values("worker"),
            "samples of three workers",
            server,
            profile_reader,
        )


def test_a_worker_that_harakiri_kills_leaves_its_samples_and_its_successor_is_profiled(
    uwsgi, profile_reader
):
    server = uwsgi(processes=1, harakiri=2, **QUICK)
    server.wait_for_window()
    first = server.workers()[1]
    before = processes.cpu_ns_without_ticker(first)

    with server.load("/own?ms=60000", threads=1, count=1) as load:
        wait_for(lambda: processes.cpu_ns_without_ticker(first) - before > ENOUGH_CPU_NS, "work")
        server.wait_for_log("Respawned uWSGI worker 1")
    server.wait_for_profiles()
    profiles = merged([profile_reader.read(path) for path in profile_files(server.profiles)])

    assert len(load.failures) == 1
    assert profiles.ns_of(f"own_function_of_{first}") > 0.6 * ENOUGH_CPU_NS
    assert_profiles_go_on(server, profile_reader)
