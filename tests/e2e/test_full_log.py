"""A worker that stands in more stacks than its log has room for: the total stays right, and what is
missing has a name in the profile, a figure, and one line in the log.

SPDX-License-Identifier: MIT
"""

import contextlib
import json
import os
import re
import signal

from testenv.load import get
from testenv.processes import cpu_ns
from testenv.wait import wait_for

# One busy worker, a stack of some 300 bytes at each sample: full within about a second of CPU time.
FAST = {
    "cloudprofiler_period_ms": 1,
    "cloudprofiler_log_size": "256k",
    "cloudprofiler_output_interval": 9,
    "cloudprofiler_output_duration": 8,
}
FILLING_NS = 1_500_000_000


def status_of(server):
    return json.loads(get(server.directory / "profiler.sock", "/status"))


@contextlib.contextmanager
def held_up(pid):
    """In the block the process stands still, as one that gets no processor."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def fill_a_log(server):
    """While a gateway runs it empties logs that are half full."""
    status = wait_for(
        lambda: (now := status_of(server))["windows"] and now, "a window that has begun"
    )
    (worker,) = server.workers().values()
    before_ns = cpu_ns(worker)
    with held_up(status["gateway"]["pid"]):
        wait_for(lambda: cpu_ns(worker) > before_ns + FILLING_NS, "a worker that fills its log")


def test_a_full_log_is_named_in_the_profile_the_figures_and_once_in_the_log(uwsgi, profile_reader):
    server = uwsgi(app="many_stacks", processes=1, cloudprofiler_http="%dprofiler.sock", **FAST)
    wait_for((server.directory / "profiler.sock").exists, "the endpoint")

    def full_profile():
        for path in sorted(server.profiles.glob("cpu-*.pb.gz")):
            profile = profile_reader.read(path)
            if profile.ns_of("[log full]") > 0:
                return profile
        return None

    with server.load("/climb?ms=100", threads=1) as load:
        fill_a_log(server)
        profile = wait_for(full_profile, "a profile of a full log", 60)
        server.wait_for_profiles(1)
    assert not load.failures, load.failures[:3]

    assert int(profile.comment("log full")) > 0
    metrics = get(server.directory / "profiler.sock", "/metrics").decode()
    assert int(re.search(r"^cloudprofiler_log_full (\d+)$", metrics, re.MULTILINE)[1]) > 0
    assert status_of(server)["slots"][0]["log_full"] > 0
    (warning,) = server.our_warnings
    assert "the log of worker 1 is full (256 KiB)" in warning
    assert "cloudprofiler-log-size" in warning
