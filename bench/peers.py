"""Other profilers, from PyPI, in a virtual environment of their own.

SPDX-License-Identifier: MIT
"""

import os
import subprocess
from pathlib import Path

from testenv.build import PYTHON

INSTALL_SECONDS = 180

# The newest that runs here wins: wheels may want a newer libc.
AGENT = ("google-cloud-profiler",)
PY_SPY = ("py-spy",)
AUSTIN = ("austin-dist", "austin-dist<4")


class Peers:
    """`agent` is the directory that its package lies in, the others are programs; None: it
    cannot be had, and `missing` says why by its name. `versions` holds the others'."""

    def __init__(self, directory):
        self._directory = directory
        self.missing = {}
        self.versions = {}
        try:
            if not (directory / "bin" / "pip").exists():
                _run([PYTHON, "-m", "venv", directory])
        except OSError as error:
            self.missing = dict.fromkeys(("agent", "py-spy", "austin"), str(error))
        self.agent = self._install("agent", AGENT, "google-cloud-profiler", self._try_agent)
        self.py_spy = self._install("py-spy", PY_SPY, "py-spy", lambda: self._program("py-spy"))
        self.austin = self._install(
            "austin", AUSTIN, "austin-dist", lambda: self._program("austin")
        )

    def _install(self, name, requirements, package, find):
        """What find() gives, after as few installations as it takes."""
        if name in self.missing:
            return None
        for requirement in (None, *requirements):
            try:
                if requirement:
                    self._pip("install", "--quiet", requirement)
                found = find()
            except OSError as error:
                self.missing[name] = str(error).strip().splitlines()[-1][:100]
                continue
            self.missing.pop(name, None)
            self.versions[name] = self._version(package)
            return found
        return None

    def _pip(self, *arguments):
        return _run([self._directory / "bin" / "pip", "--disable-pip-version-check", *arguments])

    def _version(self, package):
        shown = self._pip("show", package).splitlines()
        return next(line.split()[1] for line in shown if line.startswith("Version:"))

    def _program(self, name):
        program = self._directory / "bin" / name
        _run([program, "--version"])
        return program

    def _try_agent(self):
        code = "import googlecloudprofiler.cpu_profiler as p; print(p.__file__)"
        file = _run([self._directory / "bin" / "python", "-c", code])
        return Path(file.strip()).parents[1]


def _run(command):
    """Its output; OSError with what it said if it fails."""
    try:
        result = subprocess.run(
            [str(word) for word in command],
            env={**os.environ, "PIP_NO_INPUT": "1"},
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{command[0]} took too long") from error
    if result.returncode != 0:
        raise OSError(result.stderr or result.stdout or f"{command[0]} failed")
    return result.stdout
