"""CPU time that could not be sampled is said to be so, not booked on other code.

SPDX-License-Identifier: MIT
"""

from testenv.profiles import wall_file_of


def test_threads_too_short_to_be_sampled_do_not_change_the_shares_of_others(uwsgi, profile_reader):
    server = uwsgi(
        app="short_threads",
        processes=1,
        enable_threads="true",
        cloudprofiler_output_interval=60,
        cloudprofiler_output_duration=6,
    )

    server.wait_for_window()
    with server.load("/mix", threads=1, seconds=5) as load:
        load.join()
    profile = profile_reader.read(server.wait_for_first_profile())

    assert not load.failures
    # Half of the time is spin_main's; making threads takes some more.
    assert 0.3 < profile.share("spin_main") < 0.6
    assert profile.share("[unsampled]") + profile.share("spin_short") > 0.3


def test_a_thread_that_gets_no_timer_is_named_and_its_wall_time_seen(make_uwsgi, profile_reader):
    server = make_uwsgi(
        app="waits",
        launcher=("prlimit", "--sigpending=0"),
        processes=1,
        cloudprofiler_output_interval=2,
        cloudprofiler_output_duration=2,
    ).start()

    with server.load("/", threads=1) as load:
        cpu = server.wait_for_profiles(2)[-1]
    wall = profile_reader.read(wall_file_of(cpu))

    assert not load.failures
    [warning] = server.our_warnings
    assert "(uWSGIWorker1Core0) gets no timer" in warning
    assert wall.ns_of("nap") > 0.5 * wall.message.duration_nanos
    assert profile_reader.read(cpu).functions() == {"[unsampled]"}
