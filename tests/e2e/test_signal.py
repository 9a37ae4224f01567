"""The signal is the app's if the app wants it.

SPDX-License-Identifier: MIT
"""

WARNING = r"\[cloudprofiler\] warning: the application has taken SIGURG"


def test_an_app_that_takes_the_signal_is_left_alone_after_one_warning(uwsgi):
    server = uwsgi(
        app="takes_signal",
        processes=1,
        cloudprofiler_output_interval=2,
        cloudprofiler_output_duration=2,
    )
    server.get("/burn?ms=50")

    server.get("/take")
    with server.load("/burn?ms=5", threads=1) as load:
        server.wait_for_log(WARNING)
        before = int(server.get("/count"))
        server.wait_for_profiles(2)
        after = int(server.get("/count"))

    # What was on its way when the warning came may still arrive.
    assert after - before <= 2
    assert server.log.count("has taken SIGURG") == 1
    assert load.failures == []
