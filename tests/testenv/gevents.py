"""Whether the uWSGI and the Python that are tested can run `loop = gevent`.

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


def plugins():
    """For Uwsgi: gevent's plugin before ours, where it is not built into the server."""
    own = ("gevent_" + PYTHON_PLUGIN,) if PYTHON_PLUGIN else ()
    return ("python", *own, "cloudprofiler")


def missing():
    """What a test with gevent needs that is not there; empty: nothing."""
    if not _succeeds(PYTHON, "-c", "import gevent")[0]:
        return f"needs gevent for {PYTHON}: make deps-test installs Debian's"
    plugin_options = [f"--plugin={name}" for name in plugins()[:-1] if PYTHON_PLUGIN]
    options = [option.replace("=python", f"={PYTHON_PLUGIN}", 1) for option in plugin_options[:1]]
    _, said = _succeeds(UWSGI, *options, *plugin_options[1:], "--help")
    if "--gevent " in said:
        return ""
    return f"needs a uWSGI with gevent, which {UWSGI} is not: make deps-test installs Debian's"
