"""More threads than descriptors: every one is seen all the same.

SPDX-License-Identifier: MIT
"""

from testenv.profiles import wall_file_of

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
    assert wall.ns_of("nap") > 0.7 * CLIENTS * wall.message.duration_nanos
    assert wall.ns_of("stand_by") > 0.7 * THREADS * wall.message.duration_nanos
