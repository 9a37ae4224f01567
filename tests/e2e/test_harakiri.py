"""What a worker did before uWSGI ended it stands in the log and in files, whatever it hung in.

SPDX-License-Identifier: MIT
"""

import re

import pytest
from testenv import bounds, stats
from testenv.load import asked
from testenv.wait import wait_for

HARAKIRI_SECONDS = 3
SECONDS = 60

# What a request hangs in: its path, the functions that its thread's stack must show from the
# innermost one outwards, and the state of the thread.
STUCK = {
    "spin": (["spin_for_ever", "application"], ["running", "runnable"]),
    "sleep": (["sleep_for_ever", "application"], ["sleep"]),
    "c": (["sleep_in_c_with_gil", "application"], ["sleep"]),
    "deadlock": (["take_other_then_one", "application"], ["futex"]),
}
THREADS = {"threads_off": {}, "threads_on": {"threads": 2}}
FILE = r"harakiri-\d{8}T\d{6}\.\d{3}Z-uwsgi-.+-[0-9a-f]{8}-worker1"


def files_of(server, ending):
    return [f for f in server.profiles.iterdir() if re.fullmatch(FILE + re.escape(ending), f.name)]


def thread_in(text, thread):
    """The part of a text of stacks that is about one thread."""
    parts = re.split(r"^  thread ", text, flags=re.MULTILINE)
    found = [part for part in parts[1:] if part.startswith(thread)]
    assert len(found) == 1, text
    return found[0]


def assert_in_order(names, text):
    """Frames stand innermost first."""
    places = [text.find(f"{name} (") for name in names]
    assert -1 not in places and places == sorted(places), (names, text)


def wait_for_file(server, ending):
    return wait_for(lambda: files_of(server, ending), f"a file {ending}", SECONDS)[0]


def provoke(server, path):
    """Lets a request hang until uWSGI has ended its worker; returns the pid of that. A worker has
    one deadline for all of its threads: the end of the request before would take it away."""
    pid = server.workers()[1]
    stats.wait_until_idle(server)
    with asked(server, [path]):
        server.wait_for_log(rf"HARAKIRI ON WORKER 1 \(pid: {pid}", seconds=SECONDS)
    server.wait_for_log(r"harakiri: what worker 1 ", seconds=SECONDS)
    return pid


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("case", STUCK)
def test_the_log_and_the_files_say_what_a_worker_hung_in(uwsgi, profile_reader, case, threads):
    names, states = STUCK[case]
    server = uwsgi(
        app="stuck",
        processes=1,
        harakiri=HARAKIRI_SECONDS,
        stats=stats.SOCKET,
        cloudprofiler_output_interval=600,
        **THREADS[threads],
    )

    pid = provoke(server, f"/{case}?secret=1")
    text = wait_for_file(server, ".txt").read_text()
    profile = profile_reader.read(wait_for_file(server, ".pb.gz"))

    assert text.startswith(f"worker 1, pid {pid}\n"), text
    busy = [line for line in text.splitlines() if f": GET /{case}, for " in line]
    assert len(busy) == 1, text
    stuck = thread_in(text, busy[0].split("thread ")[1].split(":")[0])
    assert_in_order(names, stuck)
    assert re.search(rf"^    ({'|'.join(states)}), \d+ %$", stuck, re.MULTILINE), stuck
    if case == "deadlock":
        assert_in_order(["take_one_then_other"], text)
    for line in text.splitlines():
        assert f"[cloudprofiler] {line}" in server.log
    assert "secret" not in text

    of_request = profile.where(lambda sample: sample.labels.get("uri") == f"/{case}")
    assert of_request.share(names[0], flat=True) >= bounds.nearly_all(of_request.total_count)
    assert {s.labels["method"] for s in of_request.samples} == {"GET"}


def test_other_workers_are_left_out(uwsgi):
    server = uwsgi(app="stuck", processes=2, harakiri=HARAKIRI_SECONDS)
    server.wait_for_workers(2)
    with asked(server, ["/sleep"]):
        server.wait_for_log("harakiri: what worker", seconds=SECONDS)

    found = wait_for(lambda: list(server.profiles.glob("harakiri-*.txt")), "the text", SECONDS)

    text = found[0].read_text()
    assert len(re.findall(r"^worker \d", text, re.MULTILINE)) == 1
    assert "sleep_for_ever" in text


def test_a_request_that_ends_in_time_leaves_nothing(uwsgi):
    server = uwsgi(app="stuck", processes=1, harakiri=HARAKIRI_SECONDS, stats=stats.SOCKET)

    server.get(f"/nap/{HARAKIRI_SECONDS - 0.5}")
    provoke(server, "/sleep")

    assert "nap (" not in wait_for_file(server, ".txt").read_text()
    assert len(files_of(server, ".txt")) == 1
