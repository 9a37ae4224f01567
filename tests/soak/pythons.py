"""The interpreters to soak, each with its uWSGI and a plugin built for it: the work is done by
tools/matrix, whose targets these are.

SPDX-License-Identifier: MIT
"""

import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]


def _load(name, path):
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.modules[name] = module
    loader.exec_module(module)
    return module


matrix = _load("matrix", SOURCE / "tools" / "matrix")


def targets(variable, minors):
    """Those that the environment variable names, in tools/matrix's words; else each found one of
    the given versions, the newest of each."""
    words = os.environ.get(variable)
    os.environ.pop("NEWEST", None)
    if words:
        os.environ["PYTHONS"] = words
        return matrix.find_targets()
    os.environ.pop("PYTHONS", None)
    newest = {}
    for target in matrix.find_targets():
        if not target.is_debian and not target.root:
            newest[tuple(target.about["version"][:2])] = target
    return [newest[minor] for minor in minors if minor in newest]


def prepare(target):
    """Installs the target's uWSGI where that is missing, and builds the plugin; raises
    matrix.CommandFailed."""
    if target.root:
        raise matrix.CommandFailed("an interpreter in a chroot cannot be soaked")
    if not target.is_debian:
        matrix.install(target)
    matrix.build(target)


def run(target, script, arguments, log_name, seconds):
    """Runs one of our scripts with the environment of tests/testenv/build.py for the target."""
    matrix.run(
        target,
        [matrix.TEST_PYTHON, Path(__file__).parent / script, *arguments],
        log_name,
        seconds,
        UWSGI=target.uwsgi,
        PYTHON=target.python,
        UWSGI_PYTHON_PLUGIN=target.plugin_name,
        CPROF_PLUGIN_DIR=target.directory / "plugin",
    )
