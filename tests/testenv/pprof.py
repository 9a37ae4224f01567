"""The real pprof tool, of the Go distribution.

SPDX-License-Identifier: MIT
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


class Pprof:
    def __init__(self, directory):
        self._go = os.environ.get("GO") or shutil.which("go") or "/usr/local/go/bin/go"
        if not Path(self._go).exists():
            pytest.skip("needs Go, whose pprof reads the profiles: make deps-test")
        self._directory = directory

    def run(self, option, path):
        """What `go tool pprof OPTION PATH` prints; `option` may be a list of them."""
        options = [option] if isinstance(option, str) else option
        result = subprocess.run(
            [self._go, "tool", "pprof", *options, str(path)],
            cwd=self._directory,
            env={**os.environ, "PPROF_TMPDIR": str(self._directory)},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout
