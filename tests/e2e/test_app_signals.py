"""Signal handlers that the app has written in Python work in forked processes.

SPDX-License-Identifier: MIT
"""

import os
import signal
import subprocess

import pytest
from testenv.build import PYTHON
from testenv.uwsgi import QUICK
from testenv.wait import wait_for

SIGNAL = signal.SIGRTMIN + 3  # as in tests/apps/handles_signal.py
VERSION = "import sys; print(sys.version_info < (3, 8))"
FORGETS_FORKS = subprocess.check_output([PYTHON, "-c", VERSION], text=True).strip() == "True"

FORMS = {
    "threads off": {},
    "two threads": {"threads": 2},
    "lazy-apps": {"lazy_apps": "true"},
    "two mounts": {"wsgi_file": None, "mount": ["/=handles_signal.py", "/second=burn.py"]},
}
# What would wake the handlers of an old CPython there makes the worker hang.
STAYS_DEAD = {"two mounts"} if FORGETS_FORKS else set()


@pytest.mark.parametrize("form", FORMS)
def test_a_signal_handler_of_the_apps_runs_in_a_worker(form, uwsgi):
    server = uwsgi(app="handles_signal", processes=1, **QUICK, **FORMS[form])
    server.wait_for_window()

    os.kill(server.workers()[1], SIGNAL)

    if form not in STAYS_DEAD:
        wait_for(lambda: server.get("/count") == "1", "a run of the handler")
    server.wait_for_profiles()
    assert server.get("/count") in ("0", "1")


@pytest.mark.skipif(not FORGETS_FORKS, reason="needs CPython 3.6 or 3.7, as make matrix finds")
def test_an_admin_who_wants_it_otherwise_is_obeyed(uwsgi):
    server = uwsgi(app="handles_signal", processes=1, py_call_osafterfork="false", **QUICK)

    os.kill(server.workers()[1], SIGNAL)
    server.wait_for_profiles()

    assert server.get("/count") == "0"
