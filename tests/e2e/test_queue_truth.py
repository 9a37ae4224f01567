"""Wall profiles of a thread that waits for a CPU, and keeps books of where.

CPROF_WALL_SECONDS sets the length of each window (`make wall-truth`).

SPDX-License-Identifier: MIT
"""

import os

import pytest
from testenv import books, bounds
from testenv.build import PYTHON_PREFIX, others_may_enter
from testenv.endpoint import TOKEN
from testenv.spinners import for_each_cpu, spinning

SECONDS = int(os.environ.get("CPROF_WALL_SECONDS", "6"))
# Who reads the threads' states: see test_wall_truth.py.
USERS = {"syscall": None, "wchan": "www-data"}


@pytest.fixture(scope="module", params=[("syscall", 1), ("wchan", 2)], ids=lambda param: param[0])
def mix(request, make_uwsgi_for_module, profile_reader):
    states, spinners_per_cpu = request.param
    user = USERS[states]
    if user and not others_may_enter(PYTHON_PREFIX):
        pytest.skip(f"needs an interpreter that {user} may run")
    server = make_uwsgi_for_module(
        app="queue_mix",
        cloudprofiler_output_dir=None,
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_http_token=TOKEN,
        user=user,
    ).start()
    with spinning(for_each_cpu(spinners_per_cpu)):
        profile, found = books.look_at_busy(server, "/mix", 1, 1, SECONDS, profile_reader)
    server.stop()
    assert bool(user) == ("come from wchan" in server.log), server.log_tail()
    return profile, found[0]


def test_run_queue_time_stands_in_the_function_that_waited(mix):
    profile, book = mix
    window = books.window_of(profile)
    phases = books.phases(book["entries"], window)
    truth = {name: phase.run_queue for name, phase in phases.items()}
    waits = profile.where(lambda sample: sample.labels["state"] == "runnable")
    found = {name: waits.ns_of(name) / 1e9 for name in truth}
    looks = int(profile.comment("runnable looks"))
    print(f"truth {truth}, found {found}, {looks} looks at waits")
    assert looks >= bounds.ENOUGH

    for name, seconds in truth.items():
        share = seconds / sum(truth.values())
        print(f"{name}: {share:.3f}, found {found[name] / sum(found.values()):.3f}")
        assert abs(found[name] / sum(found.values()) - share) <= bounds.share(share, looks)
