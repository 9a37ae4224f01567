"""A gateway that finds logs full of samples, honest and hand-written ones: its memory stays below
its bound, it answers meanwhile, and no sum is lost.

SPDX-License-Identifier: MIT
"""

import re

import pytest
from testenv.build import GATEWAY
from testenv.full_logs import SORTS, read_full_logs
from testenv.loop import TURN_MS, longest_turn_in

MIB = 1 << 20
MEMORY_MIB = 64

# Full logs of 16 and of 256 workers, and one hand-written log of 16 MiB.
CASES = [("busy", 16, 4), ("busy", 256, 1), *((sort, 1, 16) for sort in SORTS)]


def stacks_in_other(metrics):
    return int(re.search(r"^cloudprofiler_stacks_in_other (\d+)$", metrics, re.MULTILINE)[1])


@pytest.mark.parametrize(("sort", "slots", "log_mib"), CASES)
def test_full_logs_are_read_within_the_gateways_bounds(
    sort, slots, log_mib, tmp_path, plugin_dir, profile_reader
):
    found = read_full_logs(tmp_path, sort, slots, log_mib, MEMORY_MIB, plugin_dir / GATEWAY)

    assert found.peak_bytes < MEMORY_MIB * MIB
    assert longest_turn_in(found.metrics) < TURN_MS
    assert stacks_in_other(found.metrics) > 0
    for kind, expected_ns in found.expected_ns.items():
        profile = profile_reader.read(found.files[kind])
        assert profile.ns_of("[other]") > 0 or expected_ns == 0
        # More leaves on deep stacks than a log may have are rejected.
        assert sort == "leaves" or profile.total_ns == expected_ns
