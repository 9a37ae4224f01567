"""Builds the plugin the way a user does, and says which uWSGI and Python the tests run on.

UWSGI                 the server's binary             /usr/bin/uwsgi
PYTHON                the Python that it embeds       /usr/bin/python3
UWSGI_PYTHON_PLUGIN   its Python plugin's name, empty when Python is linked in    python3
CPROF_PLUGIN_DIR      a directory with plugin and gateway, already built          build anew

SPDX-License-Identifier: MIT
"""

import os
import shutil
import stat
import subprocess
from pathlib import Path

PLUGIN = "cloudprofiler_plugin.so"
GATEWAY = "cloudprofiler-gateway"
WEB = "cloudprofiler-web"
SOURCE = Path(__file__).resolve().parents[2]

# A path, which launchers need that do not look for commands.
UWSGI = os.environ.get("UWSGI", "/usr/bin/uwsgi")
UWSGI = shutil.which(UWSGI) or UWSGI
PYTHON = os.environ.get("PYTHON", "/usr/bin/python3")
PYTHON_PLUGIN = os.environ.get("UWSGI_PYTHON_PLUGIN", "python3")
# For programs that measure what is built already: without the variable, by `make` in the sources.
PLUGIN_DIR = Path(os.environ.get("CPROF_PLUGIN_DIR", SOURCE))

BUILD_SECONDS = 300

PYTHON_PREFIX = Path(
    subprocess.check_output(
        [PYTHON, "-c", "import sys; print(sys.base_prefix)"], text=True, timeout=60
    ).strip()
)


def _run(command, directory, **environment):
    result = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert result.returncode == 0, f"{command} failed:\n{result.stdout[-6000:]}"
    return result.stdout


def _check(directory):
    for name in (PLUGIN, GATEWAY):
        assert (directory / name).is_file(), f"the build left no {name} in {directory}"
    return directory


def others_may_enter(directory):
    """Whether any user can reach what lies in it."""
    return all(part.stat().st_mode & stat.S_IXOTH for part in [directory, *directory.parents])


def build_plugin(directory):
    """Plugin and gateway in `directory`, which any user may read: from CPROF_PLUGIN_DIR, or
    by --build-plugin. With the local endpoint's page if `make web` has made it."""
    directory.mkdir(mode=0o755)
    ready = os.environ.get("CPROF_PLUGIN_DIR")
    if ready:
        for name in (PLUGIN, GATEWAY):
            shutil.copy2(Path(ready) / name, directory / name)
    else:
        _run([UWSGI, "--build-plugin", str(SOURCE)], directory, PYTHON=PYTHON)
    if (SOURCE / WEB).is_dir():
        shutil.copytree(SOURCE / WEB, directory / WEB)
    return _check(directory)


def build_plugin_alone(description):
    """Changes a copy of uwsgiplugin.py so that it builds no gateway, and the plugin in a third of
    the time, not optimised: for tests of what a build contains or refuses."""
    text = description.read_text(encoding="utf-8")
    assert text.endswith("\nbuild_gateway(ROOT)\n")
    changed = text.replace("\nbuild_gateway(ROOT)\n", '\nCFLAGS.append("-O0")\n')
    description.write_text(changed, encoding="utf-8")


def build_for_another_uwsgi(directory, usual):
    """The plugin against a uwsgi.h that is not the server's, by --build-plugin's steps by hand; the
    gateway, which does not depend on uWSGI, from the `usual` build."""
    directory.mkdir(mode=0o755)
    source = directory / "source"
    source.mkdir()
    for name in ("shared", "plugin", "gateway", "proto"):
        (source / name).symlink_to(SOURCE / name)
    shutil.copy2(SOURCE / "uwsgiplugin.py", source)
    build_plugin_alone(source / "uwsgiplugin.py")
    shutil.copy2(usual / GATEWAY, directory)
    builder = directory / ".uwsgi_plugins_builder"
    builder.mkdir()
    header = _run([UWSGI, "--dot-h"], directory)
    (builder / "uwsgi.h").write_text(header + "\n/* A line that the server's header lacks. */\n")
    (builder / "uwsgiconfig.py").write_text(_run([UWSGI, "--config-py"], directory))
    _run(
        [PYTHON, ".uwsgi_plugins_builder/uwsgiconfig.py", "--extra-plugin", str(source)],
        directory,
        UWSGI_PLUGINS_BUILDER_CFLAGS=_run([UWSGI, "--cflags"], directory).strip(),
    )
    return _check(directory)


def build_refused(directory, **environment):
    """What --build-plugin says when it refuses to build."""
    directory.mkdir()
    result = subprocess.run(
        [UWSGI, "--build-plugin", str(SOURCE)],
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert result.returncode != 0
    assert not (directory / PLUGIN).exists()
    return result.stdout + result.stderr


def build_fake_python(directory, version):
    """A library for LD_PRELOAD that makes any CPython say `version` of itself."""
    directory.mkdir()
    source = directory / "fake_python.c"
    source.write_text(
        "const char *Py_GetVersion(void);\n"
        f'const char *Py_GetVersion(void)\n{{\n    return "{version}";\n}}\n'
    )
    return build_library(source, directory / "fake_python.so")


def build_library(source, library):
    _run(["gcc", "-shared", "-fPIC", "-pthread", "-o", str(library), str(source)], library.parent)
    return library
