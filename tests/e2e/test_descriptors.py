"""More threads than descriptors: every one is seen all the same.

SPDX-License-Identifier: MIT
"""

import sys

from testenv import books, bounds, known
from testenv.profiles import wall_file_of
from testenv.uwsgi import APPS

sys.path.insert(0, str(APPS))
import crowd

DESCRIPTORS = 64
THREADS = 100
CLIENTS = 2


def test_wall_time_is_whole_where_a_process_may_have_few_descriptors(make_uwsgi, profile_reader):
    server = make_uwsgi(
        app="crowd",
        launcher=("prlimit", f"--nofile={DESCRIPTORS}"),
        processes=1,
        threads=CLIENTS,
        cloudprofiler_output_interval=3,
        cloudprofiler_output_duration=3,
    ).start()
    server.get(f"/crowd?count={THREADS}")

    with server.load("/nap", threads=CLIENTS) as load:
        cpu = server.wait_for_profiles(2)[-1]
    wall = profile_reader.read(wall_file_of(cpu))

    assert not load.failures
    window, (account,) = books.window_of(wall), known.worker_accounts(wall)
    sampled_s = account["sampling_ns"] / 1e9  # the ticker comes late to the window's ends
    begun = [float(body) for body in load.bodies]
    naps = [(start, start + crowd.NAP_SECONDS) for start in begun]
    slept_s = sum(window.clip(end) - window.clip(start) for start, end in naps)
    looks = account["off_cpu_looks"] / (THREADS + CLIENTS)
    chance_s = bounds.chance_of_waits(naps, window, looks)
    late_s = CLIENTS * (window.seconds() - sampled_s)
    found_s = wall.ns_of("nap") / 1e9
    print(f"nap {found_s:.3f} s, at least {slept_s:.3f}, late {late_s:.3f}, chance {chance_s:.3f}")
    assert found_s >= (1 - bounds.MODEL) * slept_s - late_s - chance_s
    assert wall.ns_of("stand_by") / 1e9 >= (1 - bounds.MODEL) * THREADS * sampled_s
