"""Runs the gateway's HTTP client in a program of its own (tests/unit/http_tool.c).

SPDX-License-Identifier: MIT
"""

import json
import os
import subprocess
import threading
from pathlib import Path

from testenv.wait import wait_for

PROGRAM = Path(__file__).resolve().parents[2] / "build" / "unit" / "http_tool"
SECONDS = 60

# The tests say what is in the environment.
PROXIES = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"]


class HttpTool:
    """Calls under way. `answers` are the lines so far; see the program for its commands."""

    def __init__(self, *arguments, **environment):
        names = {name for lower in PROXIES for name in (lower, lower.upper())}
        clean = {name: value for name, value in os.environ.items() if name not in names}
        assert PROGRAM.is_file(), "run `make unit`"
        self.answers = []
        self.errors = []
        self._process = subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            env={**clean, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self._readers = [
            threading.Thread(target=self._read_answers, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read_answers(self):
        for line in self._process.stdout:
            self.answers.append(json.loads(line))

    def _read_errors(self):
        self.errors.extend(self._process.stderr.readlines())

    def command(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def wait_for_answers(self, count):
        wait_for(lambda: len(self.answers) >= count, f"{count} answers", SECONDS)

    def end(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def finish(self):
        """Waits for the end, which must be a good one. The last line is not an answer: it is what
        the program says of itself, and becomes `summary`."""
        try:
            status = self._process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.end()
            raise
        for reader in self._readers:
            reader.join()
        assert status == 0, "".join(self.errors)
        self.summary = self.answers.pop()
        return self.answers
