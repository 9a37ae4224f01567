"""No filter of system calls that people commonly use ends a server for the profiler's sake, and
profiles arrive behind each of them.

SPDX-License-Identifier: MIT
"""

import re
import signal
import subprocess

import pytest
from standin import BackToBack
from testenv.build import PYTHON_PLUGIN, SOURCE, UWSGI
from testenv.cloud import upload_options
from testenv.endpoint import Endpoint
from testenv.profiles import profile_files
from testenv.seccomp import KILL_PROCESS, killed_beyond, without
from testenv.system_calls import LISTS, Recording, strace_works, why_not
from testenv.uwsgi import QUICK, WITHOUT_PROFILER
from testenv.wait import wait_for

# Outside of a list and well all the same: a child asks for perf events, whose death is an answer;
# Docker and containerd have clone3 fail, and the C library takes clone then.
EXPLAINED = {"perf_event_open", "clone3"}

BORN = re.compile(
    r"uWSGI (?:(worker|mule) \d+ \((?:new )?pid: (\d+)|(spooler) on dir .* with pid (\d+))"
)
SECONDS = 90
SLOW = "/rest?ms=2000"


def list_or_skip(name):
    trouble = why_not(name)
    if trouble:
        pytest.skip(trouble)
    return LISTS[name]()


@pytest.fixture
def make_server(make_uwsgi, standin, tmp_path):
    """Makes a server whose profiler does all that it can, or one without the profiler."""
    standin.pace = BackToBack(["CPU", "WALL"], "1s")

    def make(profiled=True, **more):
        options = {"mule": "true", "spooler": "%d/spool", "harakiri": 60}
        if profiled:
            options |= {
                **QUICK,
                **upload_options(standin, tmp_path),
                "cloudprofiler_http": "127.0.0.1:0",
                "cloudprofiler_http_token_file": tmp_path / "token",
                "cloudprofiler_slow_request": 1,
            }
        else:
            options["plugins"] = WITHOUT_PROFILER
        server = make_uwsgi(**(options | more))
        (server.directory / "spool").mkdir()
        return server

    return make


def wait_for_profiles_everywhere(server, standin, life):
    """Files of each kind, an upload and an answer of the endpoint, all of them new."""
    uploads, kinds = len(standin.uploads), ("cpu", "wall", "slow")
    before = set(server.profiles.iterdir())

    def has_new(kind):
        return set(server.profiles.glob(f"{kind}-*.pb.gz")) - before

    endpoint = Endpoint(server, token=None, times=life)
    endpoint.token = endpoint.query.partition("=")[2]
    with server.some_work(threads=1), server.load(SLOW, threads=1):
        assert endpoint.ask("/debug/pprof/profile?seconds=1").status == 200
        assert endpoint.ask("/debug/pprof/stacks").status == 200
        wait_for(lambda: all(map(has_new, kinds)), "a file of each kind")
        standin.wait_for_uploads(uploads + 2)
    server.write_fifo("t")
    server.wait_for_log("profiling is off, by fifo", times=life)
    server.write_fifo("t")
    server.wait_for_log("profiling is on, by fifo", times=life)


def live_a_life(server, standin, profiled):
    """Requests, each kind of profile to each place, an order, a reload, the end."""
    server.wait_until_live()
    server.burst("/burn?ms=20", 20)
    if profiled:
        wait_for_profiles_everywhere(server, standin, life=1)
    before = server.wait_for_workers(2)
    server.reload_by_signal()
    server.wait_for_new_workers(before)
    server.wait_until_live()
    if profiled:
        wait_for_profiles_everywhere(server, standin, life=2)
    server.stop()


def recorded(server, recording, standin, profiled):
    server.launch()
    live_a_life(server, standin, profiled)
    found = BORN.findall(server.log)
    roles = {int(pid or spooler_pid): role or spooler for role, pid, spooler, spooler_pid in found}
    return recording.calls(server.master_pid, roles.get)


def as_table(calls, plain, lists):
    """What each process calls outside of each list; in brackets what it calls without the
    profiler, too."""
    rows = [["process", "calls", *lists]]
    for role, names in calls.items():
        cells = [role, str(len(names))]
        for allowed in lists.values():
            own = plain.get(role, set())
            outside = sorted(names - allowed)
            cells.append(
                ", ".join(f"({name})" if name in own else name for name in outside) or "none"
            )
        rows.append(cells)
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows) + "\n"


@pytest.mark.skipif(not strace_works(), reason="strace is not installed or may not trace here")
def test_a_whole_life_makes_no_call_outside_of_the_lists_that_no_child_asks_for(
    make_server, standin, tmp_path
):
    lists = {name: make() for name, make in LISTS.items() if not why_not(name)}
    calls, plain = (
        recorded(make_server(profiled, launcher=recording.launcher()), recording, standin, profiled)
        for profiled, recording in (
            (True, Recording(tmp_path / "with")),
            (False, Recording(tmp_path / "without")),
        )
    )

    table = as_table(calls, plain, lists)
    print(table)
    (SOURCE / "build").mkdir(exist_ok=True)
    (SOURCE / "build" / "system-calls.md").write_text(table)

    assert set(calls) == {"master", "worker", "mule", "spooler", "gateway"}
    for role, names in calls.items():
        for name, allowed in lists.items():
            added = names - plain.get(role, set()) - allowed
            assert added <= EXPLAINED, f"{role}, {name}: {added - EXPLAINED}"


@pytest.mark.parametrize("name", LISTS)
def test_profiles_arrive_where_each_call_outside_of_a_list_kills(make_server, standin, name):
    allowed = list_or_skip(name)
    # uWSGI's own spooler makes itself nice.
    server = make_server(**({} if "setpriority" in allowed else {"spooler": None}))

    killed_beyond(allowed, server.launch)
    live_a_life(server, standin, profiled=True)

    assert f"signal {signal.SIGSYS.value}" not in server.log
    if "perf_event_open" not in allowed:
        assert "a seccomp filter ends each process that makes this call" in server.log
    assert not server.our_errors


@pytest.mark.parametrize("name", LISTS)
def test_the_check_ends_well_where_each_call_outside_of_a_list_kills(
    plugin_dir, standin, tmp_path, name
):
    allowed = list_or_skip(name)
    options = {"plugin_dir": plugin_dir, "plugin": "cloudprofiler"}
    options |= {"cloudprofiler_output_dir": tmp_path, **upload_options(standin, tmp_path)}
    lines = [f"{key.replace('_', '-')} = {value}" for key, value in options.items() if value]
    if PYTHON_PLUGIN:
        lines.insert(2, f"plugin = {PYTHON_PLUGIN}")
    ini = tmp_path / "check.ini"
    ini.write_text("\n".join(["[uwsgi]", *lines, "cloudprofiler-check = true", ""]))

    done = killed_beyond(
        allowed,
        lambda: subprocess.run(
            [UWSGI, "--ini", ini], capture_output=True, text=True, timeout=SECONDS, check=False
        ),
    )

    assert done.returncode == 0, done.stderr
    assert "check: profiling will work" in done.stderr


@pytest.mark.parametrize(
    "options",
    [{}, {"cloudprofiler_disable_cpu_profiling": "true"}, {"cloudprofiler_disable": "true"}],
    ids=["profiling", "wall alone", "disabled"],
)
def test_a_filter_that_kills_whoever_asks_for_perf_events_ends_nothing(make_uwsgi, options):
    server = make_uwsgi(**QUICK, **options)

    without(["perf_event_open"], server.launch, KILL_PROCESS)
    server.wait_until_live()

    with server.some_work():
        if "cloudprofiler_disable" not in options:
            wait_for(lambda: profile_files(server.profiles, "wall"), "the first profile")
    server.stop()


def test_a_question_that_is_refused_is_no_answer(make_server, standin):
    server = make_server(spooler=None)  # which asks such questions itself

    without(["faccessat2", "access"], server.launch)
    live_a_life(server, standin, profiled=True)

    assert "does not show this process's threads" not in server.log
