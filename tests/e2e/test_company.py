"""A uWSGI or a Python that the plugin was not built for is refused, and the server runs on.

SPDX-License-Identifier: MIT
"""

import shutil
import subprocess

import pytest
from testenv import needs
from testenv.build import (
    PYTHON,
    PYTHON_PLUGIN,
    build_fake_python,
    build_for_another_uwsgi,
    build_refused,
)
from testenv.checks import assert_inert, our_lines, run_check
from testenv.uwsgi import WITHOUT_PYTHON

VERSION = subprocess.run(
    [PYTHON, "-c", "import platform; print(platform.python_version())"],
    stdout=subprocess.PIPE,
    text=True,
    check=True,
    timeout=60,
).stdout.strip()

# Runs the build's script under the tested interpreter, which says that it has no GIL.
FREE_THREADED_SHIM = f"""#!{shutil.which(PYTHON)}
import runpy, sys, sysconfig
sysconfig.get_config_vars()["Py_GIL_DISABLED"] = 1
sys.argv = sys.argv[1:]
sys.path.insert(0, ".uwsgi_plugins_builder")
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def only_line(server):
    lines = our_lines(server)
    assert len(lines) == 1, lines
    return lines[0]


@pytest.fixture(scope="module")
def for_another_uwsgi(workspace, plugin_dir):
    return build_for_another_uwsgi(workspace / "another-uwsgi", plugin_dir)


def test_the_check_of_a_build_for_another_uwsgi_fails(for_another_uwsgi, tmp_path):
    done = run_check(tmp_path, for_another_uwsgi, cloudprofiler_output_dir=tmp_path)

    assert done.returncode == 1
    assert "check: FAILED: this is another uWSGI than the plugin was built for" in done.stderr


def test_a_build_for_another_uwsgi_says_one_line_and_stays_out(make_uwsgi, for_another_uwsgi):
    server = make_uwsgi(plugin_dir=for_another_uwsgi)
    server.errors_allowed = True

    server.start()
    server.burst("/burn?ms=5", 20)

    assert "--build-plugin" in only_line(server)
    assert_inert(server)


def test_another_cpython_says_one_line_and_stays_out(make_uwsgi, workspace):
    library = build_fake_python(workspace / "another-python", "3.99.0 (fake)")
    server = make_uwsgi(env={"LD_PRELOAD": str(library)})
    server.errors_allowed = True

    server.start()
    server.burst("/burn?ms=5", 20)

    line = only_line(server)
    assert "3.99" in line and "--build-plugin" in line
    assert_inert(server)


# What free-threaded builds say of themselves, behind the version that the plugin is built for.
@pytest.mark.parametrize("kind", ["experimental free-threading build", "free-threading build"])
def test_a_free_threaded_cpython_says_one_line_and_stays_out(kind, make_uwsgi, workspace):
    library = build_fake_python(workspace / kind.replace(" ", "-"), f"{VERSION} {kind} (main)")
    server = make_uwsgi(env={"LD_PRELOAD": str(library)})
    server.errors_allowed = True

    server.start()
    server.burst("/burn?ms=5", 20)

    assert "free-threaded" in only_line(server)
    assert_inert(server)


def test_no_build_is_made_for_a_free_threaded_cpython(workspace):
    shim = workspace / "free-threaded-python"
    shim.write_text(FREE_THREADED_SHIM)
    shim.chmod(0o755)

    said = build_refused(workspace / "free-threaded", PYTHON=str(shim))

    assert "free-threaded build of CPython" in said


@pytest.mark.skipif(not PYTHON_PLUGIN, reason=needs.SEPARATE_PYTHON)
def test_a_server_without_python_gets_one_line_and_serves(make_uwsgi):
    server = make_uwsgi(
        plugins=WITHOUT_PYTHON, wsgi_file=None, pythonpath=None, route_run="break:200 OK"
    )
    server.errors_allowed = True

    server.start()
    server.burst("/", 20)

    assert "Python" in only_line(server)
    assert_inert(server)


def test_without_a_sink_the_profiler_says_one_line_and_does_nothing(uwsgi):
    server = uwsgi(
        cloudprofiler_output_dir=None,
        cloudprofiler_output_interval=None,
        cloudprofiler_output_duration=None,
    )

    server.burst("/burn?ms=5", 20)

    assert only_line(server)
    assert_inert(server)
