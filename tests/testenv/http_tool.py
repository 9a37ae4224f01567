"""Runs the gateway's HTTP client in a program of its own (tests/unit/http_tool.c).

SPDX-License-Identifier: MIT
"""

import json
import os
import subprocess
import threading

from .build import SOURCE
from .wait import wait_for

SECONDS = 60

# What the gateway's HTTP client and its credentials read of the environment.
VARIABLES = ("GOOGLE_", "CLOUDSDK_", "GCE_", "NO_GCE_")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def program(name):
    """One that `make unit` builds."""
    path = SOURCE / "build" / "unit" / name
    assert path.is_file(), "run `make unit`"
    return path


def environment(**variables):
    """Ours, but for what the gateway reads: the tests say what that is."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(VARIABLES) and name.upper() not in PROXIES
    }
    return kept | variables


class HttpTool:
    """Calls under way. `answers` are the lines so far; see the program for its commands."""

    def __init__(self, *arguments, **variables):
        self.answers = []
        self.errors = []
        self._process = subprocess.Popen(
            [program("http_tool"), *map(str, arguments)],
            env=environment(**variables),
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
