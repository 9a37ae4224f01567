"""Flask and Django: those that the tested Python has by itself, and the newest ones of PyPI.

The latter are installed once for each version of CPython, into build/frameworks, and kept: remove
that directory for newer ones.

SPDX-License-Identifier: MIT
"""

import functools
import shutil
import subprocess

from .build import PYTHON, SOURCE

NAMES = ("flask", "django")
INSTALL_SECONDS = 300


def _run(*command, seconds=60):
    result = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
    )
    return result.returncode == 0, result.stdout.decode(errors="replace")


@functools.cache
def is_installed(name):
    return _run(PYTHON, "-c", f"import {name}")[0]


@functools.cache
def newest():
    """The virtual environment that has the newest ones."""
    _, version = _run(PYTHON, "-c", "import platform; print(platform.python_version())")
    directory = SOURCE / "build" / "frameworks" / version.strip()
    done = directory / "done"
    if not done.exists():
        shutil.rmtree(directory, ignore_errors=True)
        for command in (
            (PYTHON, "-m", "venv", directory),
            (directory / "bin" / "pip", "install", "--quiet", *NAMES),
        ):
            succeeded, said = _run(*command, seconds=INSTALL_SECONDS)
            assert succeeded, f"{command} failed:\n{said}"
        done.touch()
    return directory
