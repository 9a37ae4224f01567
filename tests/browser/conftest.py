"""One real browser for all tests of this directory.

SPDX-License-Identifier: MIT
"""

import subprocess

import pytest
from testenv.browser import Browser


@pytest.fixture(scope="module")
def browser(window):
    """The window, blank: a page of the module before goes on asking a server that is gone."""
    window.open("about:blank")
    window.take_errors()
    return window


@pytest.fixture(scope="session")
def window():
    # The driver and the browser find each other by this name; a machine without /etc/hosts, such
    # as a bare chroot, has none.
    named = subprocess.run(["getent", "hosts", "localhost"], capture_output=True, check=False)
    if named.returncode != 0:
        pytest.skip('needs the line "127.0.0.1 localhost" in /etc/hosts')
    with Browser() as browser:
        yield browser
