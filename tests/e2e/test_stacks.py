"""/debug/pprof/stacks says what every thread of every worker does now, /status which ones are busy.

SPDX-License-Identifier: MIT
"""

import json
import re
from collections import Counter

import pytest
from testenv.endpoint import Endpoint
from testenv.load import asked, get
from testenv.spinners import for_each_cpu, spinning
from testenv.wait import wait_for

SECONDS = 20
DUMPS = 15
REQUESTS = {
    "/nap/{}": ("nap", {"sleep"}),
    "/hold/{}": ("spin_holding_lock", {"running", "runnable"}),
    "/lock/{}": ("wait_for_lock", {"futex"}),
}


def with_endpoint(uwsgi, **options):
    """A server whose endpoint is a socket beside its ini file, and is there."""
    server = uwsgi(
        cloudprofiler_output_interval=600, cloudprofiler_http="%dprofiler.sock", **options
    )
    wait_for((server.directory / "profiler.sock").exists, "the endpoint")
    return server


def stacks(server):
    return get(server.directory / "profiler.sock", "/debug/pprof/stacks").decode()


def serving(text, path):
    """The part of the text about the thread that serves a path; None: there is none."""
    for part in re.split(r"^  thread ", text, flags=re.MULTILINE)[1:]:
        if f": GET {path}, for " in part.splitlines()[0]:
            return part
    return None


def test_one_worker_sleeps_one_spins_and_one_waits_for_a_lock(uwsgi):
    server = with_endpoint(uwsgi, app="stuck", processes=3)
    server.wait_for_workers(3)
    pids = server.workers()
    paths = [path.format(SECONDS) for path in REQUESTS]

    with asked(server, [f"{path}?token=secret" for path in paths], server.kill):

        def all_served():
            text = stacks(server)
            return text if all(serving(text, path) for path in paths) else None

        text = wait_for(all_served, "three requests in the stacks", SECONDS / 2)

    print(text)
    assert "secret" not in text
    assert re.findall(r"^worker (\d), pid (\d+)$", text, re.MULTILINE) == [
        (str(number), str(pid)) for number, pid in sorted(pids.items())
    ]
    for path, (function, states) in zip(paths, REQUESTS.values(), strict=True):
        part = serving(text, path)
        state = re.search(r"^    (\w+), \d+ %$", part, re.MULTILINE).group(1)
        assert state in states, part
        assert re.search(rf"^      {function} \(.*stuck\.py:\d+\)$", part, re.MULTILINE), part


def test_a_thread_that_waits_for_a_cpu_is_shown_where_it_does(uwsgi):
    server = with_endpoint(uwsgi, app="queue_mix", processes=1)
    (server.directory / "marks").mkdir()
    path = "/mix"
    found = Counter()

    with asked(server, [f"{path}?work_ms=1"], server.kill), spinning(for_each_cpu(2)):
        wait_for(lambda: serving(stacks(server), path), "the request", SECONDS / 2)
        while found.total() < DUMPS:
            # One may come at an instant at which nobody waits.
            found.update(waiting_most(serving(stacks(server), path)))

    print(found)
    # Its CPU time is in `work`; it waits when it wakes up.
    assert found["ask"] + found["nap"] > DUMPS / 2


def waiting_most(part):
    """The function that a part of a text shows as waiting for a CPU most, in a list; [] if none."""
    return re.findall(r"^    runnable, \d+ %\n      (\w+) \(", part or "", re.MULTILINE)[:1]


@pytest.mark.parametrize("threads", [{}, {"threads": 2}], ids=["threads_off", "threads_on"])
def test_idle_threads_are_shown_as_idle(uwsgi, threads):
    server = with_endpoint(uwsgi, app="stuck", processes=1, **threads)

    text = stacks(server)

    cores = threads.get("threads", 1)
    assert len(re.findall(r"^  thread uWSGIWorker1Core\d$", text, re.MULTILINE)) == cores, text
    assert set(re.findall(r"^      (.*)$", text, re.MULTILINE)) == {"[idle]"}, text


def test_status_and_json_tell_which_request_a_worker_is_in(uwsgi):
    server = with_endpoint(uwsgi, app="stuck", processes=2)
    endpoint = Endpoint(server, token=None)

    def by_state():
        found = {slot["state"]: slot for slot in endpoint.status()["slots"]}
        return found if set(found) == {"idle", "running"} else None

    def request():
        answer = endpoint.ask("/debug/pprof/stacks?format=json").json()
        threads = [
            (worker["name"], thread)
            for worker in answer["workers"]
            for thread in worker["threads"]
            if thread["request"] and thread["request"]["uri"] == "/nap/100"
        ]
        return threads[0] if threads else None

    with asked(server, ["/nap/100?token=secret"], server.kill):
        slots = wait_for(by_state, "an idle worker and one in a request", 60)
        worker, thread = wait_for(request, "the request in the stacks", 60)
        idle, running = slots["idle"], slots["running"]
        refused = endpoint.ask("/debug/pprof/stacks?format=exe")

        def is_older():
            now = by_state()
            if now and now["running"]["running_seconds"] > running["running_seconds"]:
                return now
            return None

        # The first look may have found the request by which the start was seen.
        running = wait_for(is_older, "a request that has run for longer", 60)["running"]

    assert idle["running_seconds"] is None and idle["running_since_ms"] is None
    assert worker == running["name"]
    assert thread["request"]["method"] == "GET"
    assert thread["request"]["start_ms"] == running["running_since_ms"]
    assert thread["request"]["seconds"] > 0
    assert "nap" in [frame["name"] for frame in thread["stacks"][0]["frames"]]
    assert refused.status == 400 and "text or json" in refused.text


def test_a_letter_in_the_fifo_writes_the_stacks_to_the_log(uwsgi):
    server = uwsgi(app="stuck", processes=1, cloudprofiler_output_interval=600)
    server.wait_for_log("spawned cloudprofiler")
    server.gateway()

    server.write_fifo("d")

    server.wait_for_log(r"^\[cloudprofiler\] worker 1, pid \d+$")
    server.wait_for_log(r"^\[cloudprofiler\]   thread uWSGIWorker1Core0$")


def test_the_status_shows_no_process_where_cheaper_has_ended_the_worker(uwsgi):
    server = with_endpoint(uwsgi, processes=3, cheaper=1, cheaper_initial=3)
    server.wait_for_workers(3)

    def slots():
        return json.loads(get(server.directory / "profiler.sock", "/status"))["slots"]

    wait_for(lambda: all(slot["pid"] and slot["state"] for slot in slots()), "three workers")
    server.write_fifo("-")
    server.write_fifo("-")
    (number, pid) = next(iter(server.wait_for_workers(1).items()))

    def ended():
        found = slots()
        return found if sum(slot["pid"] == 0 for slot in found) == 2 else None

    for slot in wait_for(ended, "two workers without a process"):
        lives = slot["name"] == f"worker {number}"
        assert (slot["pid"], slot["state"]) == ((pid, "idle") if lives else (0, None))
