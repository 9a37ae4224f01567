"""The real pprof tool, of the Go distribution.

SPDX-License-Identifier: MIT
"""

import os
import subprocess

from .go import find_go


class Pprof:
    def __init__(self, directory):
        self._go = find_go("whose pprof reads the profiles")
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
