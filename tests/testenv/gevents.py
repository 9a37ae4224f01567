"""Whether the uWSGI and the Python that are tested can run `loop = gevent`, and other loops in
which greenlets take turns.

SPDX-License-Identifier: MIT
"""

import functools
import subprocess

from .build import PYTHON, PYTHON_PLUGIN, UWSGI


@functools.cache
def _succeeds(*command):
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False
    )
    return result.returncode == 0, result.stdout.decode(errors="replace")


def plugins(*engines):
    """For Uwsgi: plugins of these names, gevent's without any, before ours, where they are not
    built into the server."""
    own = [f"{name}_{PYTHON_PLUGIN}" for name in engines or ("gevent",)] if PYTHON_PLUGIN else []
    return ("python", *own, "cloudprofiler")


def _help(plugin_names):
    plugin_options = [f"--plugin={name}" for name in plugin_names[:-1] if PYTHON_PLUGIN]
    options = [option.replace("=python", f"={PYTHON_PLUGIN}", 1) for option in plugin_options[:1]]
    return _succeeds(UWSGI, *options, *plugin_options[1:], "--help")[1]


def missing_engine(*engines):
    """What a test with these of uWSGI's plugins needs that is not there; empty: nothing."""
    if not _succeeds(PYTHON, "-c", "import greenlet")[0]:
        return f"needs greenlet for {PYTHON}: make deps-test installs Debian's"
    if not _succeeds(PYTHON, "-c", "import sys; assert sys.version_info < (3, 13)")[0]:
        return "uWSGI's greenlet plugin crashes at each request's end with CPython 3.13"
    said = _help(plugins(*engines))
    without = [name for name in engines if f"--{name} " not in said]
    if without:
        return f"needs a uWSGI with {', '.join(without)}: make deps-test installs Debian's"
    return ""


def missing():
    """What a test with gevent needs that is not there; empty: nothing."""
    if not _succeeds(PYTHON, "-c", "import gevent")[0]:
        return f"needs gevent for {PYTHON}: make deps-test installs Debian's"
    if "--gevent " in _help(plugins()):
        return ""
    return f"needs a uWSGI with gevent, which {UWSGI} is not: make deps-test installs Debian's"
