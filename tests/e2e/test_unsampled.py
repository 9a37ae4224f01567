"""CPU time that could not be sampled is said to be so, not booked on other code.

SPDX-License-Identifier: MIT
"""


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
