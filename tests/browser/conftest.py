"""One real browser for all tests of this directory.

SPDX-License-Identifier: MIT
"""

import subprocess

import pytest
from testenv.browser import Browser


@pytest.fixture(scope="session")
def browser():
    # The driver and the browser find each other by this name; a machine without /etc/hosts, such
    # as a bare chroot, has none.
    named = subprocess.run(["getent", "hosts", "localhost"], capture_output=True, check=False)
    if named.returncode != 0:
        pytest.skip('needs the line "127.0.0.1 localhost" in /etc/hosts')
    with Browser() as browser:
        yield browser
