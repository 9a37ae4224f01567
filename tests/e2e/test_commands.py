"""What operators tell a running server: by the master's fifo, a touched file, an alarm, a route.

SPDX-License-Identifier: MIT
"""

import gzip
import os
import re
import signal

import pytest
from testenv import processes, stats
from testenv.endpoint import TOKEN, Endpoint
from testenv.load import request
from testenv.wait import wait_for

# One window of the schedule at the start; what comes later was asked for.
ON_DEMAND = {
    "cloudprofiler_output_interval": 86400,
    "cloudprofiler_output_duration": 1,
    "cloudprofiler_verbose": 2,
}
TOGGLES = 100
FIFO_SECONDS = 30  # of the profile that the letter k takes


def start_idle(uwsgi, **options):
    """A server whose first window is over."""
    server = uwsgi(**{**ON_DEMAND, **options})
    server.wait_for_first_profile()
    wait_for(lambda: len(files_of(server)) == 2, "the files of the first window")
    server.wait_for_window(is_open=False)
    return server


def files_of(server):
    """Its finished profiles, of both kinds."""
    return set(server.profiles.glob("[cw]*.pb.gz"))


def touch(file):
    """Makes it younger by whole seconds, which is what uWSGI looks at."""
    later = int(file.stat().st_mtime) + 10
    os.utime(file, (later, later))


def metrics_of(server):
    found = stats.read(server)["metrics"]
    prefix = "cloudprofiler."
    return {
        name[len(prefix) :]: entry["value"]
        for name, entry in found.items()
        if name.startswith(prefix)
    }


def test_a_touched_file_takes_a_profile(uwsgi, workspace):
    touched = workspace / "touched"
    touched.touch()
    server = start_idle(uwsgi, hook_touch=f"{touched} cloudprofiler:profile 1 wall")
    before = files_of(server)

    touch(touched)
    server.wait_for_log(r"a profile of wall time is taken for 1 s, by hook")

    wait_for(lambda: len(files_of(server) - before) == 1, "the profile's file")
    (file,) = files_of(server) - before
    assert file.name.startswith("wall-")


def test_an_alarm_takes_a_profile(uwsgi, workspace):
    touched = workspace / "alarmed"
    touched.touch()
    server = start_idle(
        uwsgi,
        alarm="slow cloudprofiler:profile 1 cpu",
        hook_touch=f"{touched} alarm:slow too slow",
    )
    before = files_of(server)

    touch(touched)
    server.wait_for_log(r"a profile of CPU time is taken for 1 s, by alarm")

    wait_for(lambda: len(files_of(server) - before) == 1, "the profile's file")


def test_letters_of_the_fifo_take_a_profile_and_switch_off_and_on(uwsgi):
    server = start_idle(uwsgi)

    server.write_fifo("k")
    server.wait_for_log(r"a profile of CPU and wall time is taken for 30 s, by fifo")
    server.wait_for_window()
    server.write_fifo("t")
    server.wait_for_log(r"profiling is off, by fifo")
    server.wait_for_window(is_open=False)
    server.write_fifo("k")
    server.wait_for_log(r"a command by fifo is not carried out: profiling is off")
    server.write_fifo("t")
    server.wait_for_log(r"profiling is on, by fifo")
    server.wait_for_window()


def test_a_route_orders_a_profile_and_serves_it_later(uwsgi, profile_reader, workspace):
    server = start_idle(
        uwsgi, route="^/profile cloudprofiler-profile:seconds=1,kind=cpu", processes=2
    )
    place = server.directory / "http.sock"

    with server.some_work():
        status, headers, body = request(place, "/profile")
        assert status == 202 and int(headers["Retry-After"]) in (1, 2), body
        assert request(place, "/profile")[0] == 202

        def served():
            answer = request(place, "/profile")
            return answer if answer[0] == 200 else None

        _status, headers, body = wait_for(served, "the finished profile")
    assert headers["Content-Type"] == "application/octet-stream"
    file = workspace / "routed.pb.gz"
    file.write_bytes(body)
    assert gzip.decompress(body)
    assert profile_reader.read(file).ns_of("burn") > 0
    taken = server.wait_for_log(r"a profile of CPU time is taken for 1 s, by route")
    assert len(taken) == 1, "a second request orders no second profile"

    server.write_fifo("t")
    server.wait_for_log(r"profiling is off, by fifo")
    wait_for(lambda: request(place, "/profile")[0] == 503, "the route's refusal")


def test_files_stand_in_the_status_whoever_asked_for_them(uwsgi, workspace):
    touched, alarmed = workspace / "touched-for-files", workspace / "alarmed-for-files"
    touched.touch()
    alarmed.touch()
    server = start_idle(
        uwsgi,
        alarm="slow cloudprofiler:profile 1 cpu",
        hook_touch=[f"{touched} cloudprofiler:profile 1 wall", f"{alarmed} alarm:slow too slow"],
        route="^/profile cloudprofiler-profile:seconds=1,kind=cpu",
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_http_token=TOKEN,
    )
    endpoint = Endpoint(server)

    server.write_fifo("k")
    touch(touched)
    touch(alarmed)
    assert request(server.directory / "http.sock", "/profile")[0] == 202
    for origin in ("fifo", "hook", "alarm", "route"):
        server.wait_for_log(rf"a profile of .* is taken for \d+ s, by {origin}")

    # Of the first window and by fifo two each.
    wait_for(lambda: len(files_of(server)) == 7, "the files", FIFO_SECONDS + 30)
    wait_for(lambda: endpoint.status()["files"]["written"] == 7, "their count")
    counted = re.compile(r"^cloudprofiler_profiles_written\S* 7$", re.MULTILINE)
    wait_for(lambda: counted.search(endpoint.ask("/metrics").text), "the metric")
    files = endpoint.status()["files"]
    assert files["bytes"] == sum(file.stat().st_size for file in files_of(server))
    assert files["failed"] == 0 and not files["failing"]


@pytest.mark.parametrize(
    ("option", "value", "accepted"),
    [
        ("route", "^/x cloudprofiler-profile:seconds=0", "1 to 600 seconds"),
        ("route", "^/x cloudprofiler-profile:kind=all", "cpu or wall"),
        ("alarm", "slow cloudprofiler:prophile", "cloudprofiler:profile 30"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_at_the_start(make_uwsgi, option, value, accepted):
    server = make_uwsgi(**{option: value}).launch()

    assert server.wait_for_exit() == 1
    assert accepted in server.log
    server.errors_allowed = True


def test_a_hook_that_is_no_command_is_told_and_does_no_harm(uwsgi, workspace):
    touched = workspace / "nonsense"
    touched.touch()
    server = start_idle(uwsgi, hook_touch=f"{touched} cloudprofiler:profile for ever")

    touch(touched)

    server.wait_for_log(r'a command by hook: "profile for ever" is no command; accepted: ')
    assert server.get("/pid")


def test_a_hundred_toggles_under_load_harm_no_request(uwsgi):
    server = start_idle(uwsgi)

    with server.load("/burn?ms=1") as load, server.many_letters():
        for turn in range(TOGGLES):
            server.write_fifo("t")
            # The gateway says it once it is so; the next letter changes it again.
            server.wait_for_log(r"profiling is (?:off|on), by fifo", times=turn + 1)
        load.wait_for_requests(20)
    assert not load.failures
    server.wait_for_window()
    server.wait_for_profiles()


def test_what_was_set_survives_the_gateway_and_a_reload(uwsgi, workspace):
    files = {verb: workspace / f"set-{verb}" for verb in ("off", "on", "kinds", "period")}
    words = {"kinds": "kinds wall", "period": "period 3"}
    for file in files.values():
        file.touch()
    server = start_idle(
        uwsgi,
        hook_touch=[f"{file} cloudprofiler:{words.get(v, v)}" for v, file in files.items()],
    )
    for verb, told in (
        ("kinds", "profiles are of wall time, by hook"),
        ("period", "a sample each 3 ms, by hook"),
        ("off", "profiling is off, by hook"),
    ):
        touch(files[verb])
        server.wait_for_log(told)

    os.kill(server.gateway(), signal.SIGKILL)
    server.wait_for_log(r"profiling is off, as it was set before this start")
    workers = server.wait_for_workers(2)
    server.reload_by_signal()
    server.wait_for_new_workers(workers)
    server.wait_for_log(r"profiling is off, as it was set before this start", times=2)
    before = files_of(server)
    touch(files["on"])
    server.wait_for_log(r"profiling is on, by hook")

    def new_files():
        return files_of(server) - before

    (file,) = wait_for(new_files, "a profile after the reload")
    assert file.name.startswith("wall-")


def test_figures_stand_among_uwsgis_metrics(uwsgi):
    server = uwsgi(
        enable_metrics="true",
        stats=stats.SOCKET,
        cloudprofiler_output_interval=1,
        cloudprofiler_output_duration=1,
    )
    with server.some_work():
        server.wait_for_profiles(2)

        def counted():
            found = metrics_of(server)
            wanted = ("samples", "windows", "profiles_written")
            return found if all(found[name] > 0 for name in wanted) else None

        figures = wait_for(counted, "the figures")
        later = wait_for(
            lambda: metrics_of(server)["samples"] > figures["samples"], "samples that go on"
        )
    assert later
    assert figures["seconds_since_upload"] == -1 and figures["profiles_uploaded"] == 0
    assert {"bytes_uploaded", "profiles_failed", "log_fill"} <= set(figures)
    assert {"misses_entry", "misses_lost", "misses_blocked"} <= set(figures)


def test_only_the_workers_that_were_named_are_profiled(uwsgi):
    server = uwsgi(processes=3, cloudprofiler_workers="1,3")
    pids = server.wait_for_workers(3)

    def tickers():
        names = {number: {t.name for t in processes.threads(pid)} for number, pid in pids.items()}
        return {number for number in names if processes.TICKER_NAME in names[number]}

    wait_for(lambda: tickers() == {1, 3}, "tickers in workers 1 and 3")
    server.wait_for_profiles()
    assert tickers() == {1, 3}


@pytest.mark.parametrize("value", ["0", "1,4", "one", "1,,2", ""])
def test_workers_that_do_not_exist_are_refused(make_uwsgi, value):
    server = make_uwsgi(processes=3, cloudprofiler_workers=f'"{value}"').launch()

    assert server.wait_for_exit() == 1
    assert "cloudprofiler-workers" in server.log
    server.errors_allowed = True
