"""Google's own agent for Python, where `make bench` has installed it.

SPDX-License-Identifier: MIT
"""

import functools
import subprocess

from .build import PYTHON, SOURCE

PEERS = SOURCE / "build" / "bench" / "peers"
AGENTS = sorted(PEERS.glob("lib/python3.*/site-packages/googlecloudprofiler"))
MISSING = "needs Google's own agent for the tested Python: make bench installs it"
ASK_SECONDS = 60


@functools.cache
def packages():
    """The directory of packages that has the agent for the tested Python, or None."""
    ask = "import sys; print('python%d.%d' % sys.version_info[:2])"
    version = subprocess.check_output([PYTHON, "-c", ask], text=True, timeout=ASK_SECONDS).strip()
    return next((path.parent for path in AGENTS if version in path.parts), None)
