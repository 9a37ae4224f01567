"""What the tests of the whole product share.

SPDX-License-Identifier: MIT
"""

import contextlib
import itertools
import os
import signal
import socket
import tempfile
from pathlib import Path

import pytest
from testenv.build import build_plugin
from testenv.pprof import Pprof
from testenv.profiles import ProfileReader
from testenv.uwsgi import Uwsgi
from testenv.workspace import workspace

_server_number = itertools.count(1)

# The files that take longest, longest first: run last, one would keep one process busy while the
# others are done. Those that are not listed follow in their usual order.
LONGEST = (
    "e2e/test_http.py",
    "e2e/test_kills.py",
    "e2e/test_system_calls.py",
    "e2e/test_forms.py",
    "e2e/test_gateway_start.py",
    "e2e/test_cloud_faults.py",
    "unit/test_units.py",
    "e2e/test_commands.py",
    "e2e/test_windows.py",
    "e2e/test_long_windows.py",
    "step/test_step.py",
    "browser/test_page.py",
    "e2e/test_python_api.py",
    "e2e/test_harakiri.py",
    "e2e/test_masters.py",
    "e2e/test_cloud_credentials.py",
    "e2e/test_request_tags.py",
    "e2e/test_native_leaf.py",
    "e2e/test_company.py",
    "e2e/test_platforms.py",
    "e2e/test_check_beside_server.py",
    "e2e/test_go_library.py",
    "e2e/test_cloud_missing.py",
    "e2e/test_faults.py",
    "e2e/test_cloud.py",
    "e2e/test_reading.py",
    "e2e/test_accounting.py",
    "e2e/test_wall_truth.py",
    "e2e/test_shared_directory.py",
    "lint/test_lint_guards.py",
    "e2e/test_spoolers.py",
    "soak/test_kill_soak.py",
)


def pytest_collection_modifyitems(items):
    def place(item):
        name = f"{item.path.parent.name}/{item.path.name}"
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=place)


# What a make target leaves out, and the commands that cover it.
LEFT_OUT = {
    "test": "longer runs (make truth, wall-truth, eintr, kill-soak, cloud-soak; all of them: "
    "CONTRIBUTING.md) and other Pythons and uWSGIs (make matrix)",
    "test-quick": "all but the quick tests (make test)",
}


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    """Shows in the last line what was left out, behind pytest's own summary."""
    yield
    parts = []
    skipped = len(terminalreporter.stats.get("skipped", []))
    if skipped:
        parts.append(f"{skipped} skipped, the lines above name what each needs")
    if "CPROF_TARGET" in os.environ:
        parts.append(LEFT_OUT[os.environ["CPROF_TARGET"]])
    if parts:
        terminalreporter.write_line(f"left out: {'; '.join(parts)}")


@pytest.fixture(scope="session", autouse=True)
def localhost():
    """The name localhost is the loopback interface (RFC 6761, 6.3), also on a machine that has
    no /etc/hosts, as a minimal chroot or container."""
    resolve = socket.getaddrinfo

    def resolve_locally(host, *more, **options):
        return resolve("127.0.0.1" if host == "localhost" else host, *more, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve_locally)
        yield


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """A shell starts what runs in its background with SIGINT ignored, which programs inherit: those
    that it should end would live on until uWSGI's mercy is over."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", name="workspace")
def run_workspace():
    with workspace() as directory:
        yield directory


@pytest.fixture(scope="session")
def plugin_dir(workspace):
    return build_plugin(workspace / "plugin")


@contextlib.contextmanager
def _servers(workspace, plugin_dir):
    """A function that makes servers; each is ended and its log checked when the block ends.

    The log's tail goes to the test's output, which pytest shows for a test that failed.
    """
    with contextlib.ExitStack() as ends:

        def make(**options):
            directory = workspace / f"server-{next(_server_number)}"
            server = Uwsgi(directory, options.pop("plugin_dir", plugin_dir), **options)
            ends.callback(server.end)
            return server

        yield make


@pytest.fixture
def make_uwsgi(workspace, plugin_dir):
    """Makes servers that are not started; see Uwsgi for the options."""
    with _servers(workspace, plugin_dir) as make:
        yield make


@pytest.fixture(scope="module")
def make_uwsgi_for_module(workspace, plugin_dir):
    """The same, for servers whose result several tests of a module look at."""
    with _servers(workspace, plugin_dir) as make:
        yield make


@pytest.fixture
def uwsgi(make_uwsgi):
    """Starts a server and waits until it answers."""

    def start(**options):
        return make_uwsgi(**options).start()

    return start


@pytest.fixture(scope="session")
def profile_reader(workspace):
    directory = workspace / "proto"
    directory.mkdir()
    return ProfileReader(directory)


@pytest.fixture(scope="session")
def pprof(workspace):
    return Pprof(workspace)


@pytest.fixture
def make_standin(tmp_path):
    """Starts stand-ins for Google; see the package standin for the arguments. Each is stopped
    when the test ends."""
    # Here, so that tests without it need none of its libraries.
    from standin import StandIn

    with contextlib.ExitStack() as ends:

        def make(**how):
            directory = Path(tempfile.mkdtemp(prefix="standin-", dir=tmp_path))
            return ends.enter_context(StandIn(directory, **how))

        yield make


@pytest.fixture
def standin(make_standin):
    return make_standin()
