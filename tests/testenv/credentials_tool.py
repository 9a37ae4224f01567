"""Runs the gateway's credentials in a program of their own (tests/unit/credentials_tool.c).

SPDX-License-Identifier: MIT
"""

import contextlib
import json
import subprocess
import tempfile
from pathlib import Path

from .http_tool import SECONDS, environment, program


class CredentialsTool:
    """A context manager. `key`: a key file; empty: it is searched for. Without a metadata server
    in the environment none is asked."""

    def __init__(self, ca_file, key="", **variables):
        self._ends = contextlib.ExitStack()
        home = self._ends.enter_context(tempfile.TemporaryDirectory())
        self._log = Path(home) / "log"
        arguments = [str(ca_file), str(key)]
        if "GCE_METADATA_HOST" not in variables:
            arguments.append("no-metadata")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [program("credentials_tool"), *arguments],
                env=environment(**{"HOME": home, **variables}),
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
