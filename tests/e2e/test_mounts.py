"""Several apps in one server, each in an interpreter of its own or all in one.

SPDX-License-Identifier: MIT
"""

import pytest
from testenv import bounds
from testenv.checks import windows_until
from testenv.uwsgi import QUICK

ENOUGH_SAMPLES = 60  # of CPU time
PERIOD_MS = 3
REST_S = 0.05
PATIENCE_S = 60

# What is mounted first runs in the main interpreter.
MOUNTS = ["/first=burn.py", "/second=second.py"]
FORMS = {
    "threads off": {},
    "two threads": {"threads": 2},
    "two threads, the other way round": {"threads": 2, "mount": MOUNTS[::-1]},
    "two threads, lazy-apps": {"threads": 2, "lazy_apps": "true"},
    "two threads, single interpreter": {"threads": 2, "single_interpreter": "true"},
}


def asleep(profile):
    return profile.where(lambda sample: sample.labels["state"] == "sleep")


def profiles_under_load(server, reader):
    def are_enough(cpu, wall):
        return cpu.total_count >= ENOUGH_SAMPLES and asleep(wall).samples

    return windows_until(are_enough, f"{ENOUGH_SAMPLES} samples and a sleep", server, reader)


@pytest.mark.parametrize("form", FORMS)
def test_the_stacks_of_each_app_are_its_own(form, uwsgi, profile_reader):
    options = {"mount": MOUNTS, "manage_script_name": "true", **QUICK, **FORMS[form]}
    server = uwsgi(processes=1, wsgi_file=None, cloudprofiler_period_ms=PERIOD_MS, **options)
    pid = server.workers()[1]

    with (
        server.load("/first/own?ms=10", threads=2, rest_s=REST_S) as first,
        server.load("/second/work?ms=10", threads=2, rest_s=REST_S) as second,
    ):
        profile, wall = profiles_under_load(server, profile_reader)

    assert not first.failures + second.failures
    own = {f"own_function_of_{pid}": "burn.py", f"second_function_of_{pid}": "second.py"}
    least = 0.5 - bounds.share(0.5, profile.total_count)
    for name, file in own.items():
        found = profile.where(lambda sample, name=name: name in sample.names())
        assert found.total_ns > least * profile.total_ns, f"{name} of {profile.functions()}"
        for sample in found.samples:
            assert [frame.name for frame in sample.frames] == [name, "burn_own", "application"]
            assert all(frame.file.endswith(file) for frame in sample.frames[1:])

    for sample in asleep(wall).samples:
        assert [frame.name for frame in sample.frames] == ["rest", "application"]
        assert all(frame.file.endswith("second.py") for frame in sample.frames)
