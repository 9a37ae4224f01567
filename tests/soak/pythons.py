"""The interpreters to soak, each with its uWSGI and a plugin built for it: the work is done by
tests/matrix/matrix.py, whose targets these are.

SPDX-License-Identifier: MIT
"""

import argparse
import math
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "matrix"))

import matrix

SECONDS_MAX = 24 * 3600


def seconds(text):
    """The type of an argument that says how long a run is."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"seconds are needed, up to {SECONDS_MAX}, not {text!r}")
    return value


def newest_of_each(found, minors, variable):
    """The newest target of each version; ends the process when a version has none."""
    newest = {}
    for target in found:  # oldest first
        if not target.is_debian and not target.root:
            newest[tuple(target.about["version"][:2])] = target
    missing = [f"{major}.{minor}" for major, minor in minors if (major, minor) not in newest]
    if missing:
        sys.exit(f"CPython not found: {', '.join(missing)}. {variable} names others to take.")
    return [newest[minor] for minor in minors]


def targets(variable, minors):
    """Those that the environment variable names, in make matrix's words; else the newest found
    one of each of the given versions. Ends the process when one of them is missing."""
    words = os.environ.get(variable, "").split()
    os.environ.pop("NEWEST", None)
    os.environ["PYTHONS"] = " ".join(words)
    found = matrix.find_targets()
    return found if words else newest_of_each(found, minors, variable)


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
