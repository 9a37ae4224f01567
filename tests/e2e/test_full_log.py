"""A worker that stands in more stacks than its log has room for: the total stays right, and what is
missing has a name in the profile, a figure, and one line in the log.

SPDX-License-Identifier: MIT
"""

import json
import re

from testenv.load import get
from testenv.wait import wait_for

# One busy worker, a stack of some 300 bytes at each sample: full within about a second.
FAST = {
    "cloudprofiler_period_ms": 1,
    "cloudprofiler_log_size": "256k",
    "cloudprofiler_output_interval": 5,
    "cloudprofiler_output_duration": 4,
}


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
        profile = wait_for(full_profile, "a profile of a full log", 60)
        server.wait_for_profiles(1)
    assert not load.failures, load.failures[:3]

    assert int(profile.comment("log full")) > 0
    metrics = get(server.directory / "profiler.sock", "/metrics").decode()
    assert int(re.search(r"^cloudprofiler_log_full (\d+)$", metrics, re.MULTILINE)[1]) > 0
    status = json.loads(get(server.directory / "profiler.sock", "/status"))
    assert status["slots"][0]["log_full"] > 0
    (warning,) = server.our_warnings
    assert "the log of worker 1 is full (256 KiB)" in warning
    assert "cloudprofiler-log-size" in warning
