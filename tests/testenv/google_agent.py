"""Google's own agent for Python, where `make bench` has installed it, and what the log says of
calls that are meant for it.

SPDX-License-Identifier: MIT
"""

import functools
import re
import subprocess

from .build import PYTHON, SOURCE

PEERS = SOURCE / "build" / "bench" / "peers"
AGENTS = sorted(PEERS.glob("lib/python3.*/site-packages/googlecloudprofiler"))
MISSING = "needs Google's own agent for the tested Python: make bench installs it"
ASK_SECONDS = 60

TAKEN = re.compile(
    r"^\[cloudprofiler\] taken from googlecloudprofiler.start\(\) at (.*)$", re.MULTILINE
)
SETTING = re.compile(r"cloudprofiler-([a-z-]+) = ([^,]+)")


@functools.cache
def packages():
    """The directory of packages that has the agent for the tested Python, or None."""
    ask = "import sys; print('python%d.%d' % sys.version_info[:2])"
    version = subprocess.check_output([PYTHON, "-c", ask], text=True, timeout=ASK_SECONDS).strip()
    return next((path.parent for path in AGENTS if version in path.parts), None)


def taken_by(server):
    """What the server's log says that it took from a call: the values by option, and the place of
    the call. There is at most one such line."""
    lines = TAKEN.findall(server.log)
    assert len(lines) <= 1, lines
    place, _, values = (lines or [""])[0].partition(": ")
    return dict(SETTING.findall(values)), place
