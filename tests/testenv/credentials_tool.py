"""Runs the gateway's credentials in a program of their own (tests/unit/credentials_tool.c).

SPDX-License-Identifier: MIT
"""

import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "build" / "unit" / "credentials_tool"
SECONDS = 60

# What the credentials and their HTTP client read of the environment. The tests say what is there.
VARIABLES = ("GOOGLE_", "CLOUDSDK_", "GCE_", "NO_GCE_")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class CredentialsTool:
    """A context manager. `key`: a key file; empty: it is searched for. Without a metadata server
    in the environment none is asked."""

    def __init__(self, ca_file, key="", **environment):
        assert PROGRAM.is_file(), "run `make unit`"
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(VARIABLES) and name.upper() not in PROXIES
        }
        self._ends = contextlib.ExitStack()
        home = self._ends.enter_context(tempfile.TemporaryDirectory())
        self._log = Path(home) / "log"
        arguments = [str(ca_file), str(key)]
        if "GCE_METADATA_HOST" not in environment:
            arguments.append("no-metadata")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [PROGRAM, *arguments],
                env={**clean, "HOME": home, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.pid = self._process.pid

    def __enter__(self):
        return self

    def __exit__(self, kind, *_exception):
        if kind is not None:
            self._process.kill()
        self._process.stdin.close()
        status = self._process.wait(SECONDS)
        self._process.stdout.close()
        log = self.log()
        self._ends.close()
        assert kind is not None or status == 0, f"status {status}\n{log}"

    def log(self):
        return self._log.read_text(encoding="utf-8")

    def say(self, question):
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()

    def ask(self, question):
        """The answer; the program's own death is an error here."""
        self.say(question)
        line = self._process.stdout.readline()
        assert line, f"no answer\n{self.log()}"
        return json.loads(line)

    def token(self):
        """A token that is there, or the assertion fails."""
        answer = self.ask("get")
        assert answer["error"] == "", answer["error"]
        return answer["token"]

    def error(self):
        answer = self.ask("get")
        assert answer["token"] == "", "a token came instead of an error"
        return answer["error"]
