"""Runs the official agents, unmodified, and the plugin against a stand-in.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from testenv.cloud import LOCAL_OFF, upload_options
from testenv.uwsgi import Uwsgi

HERE = Path(__file__).resolve().parent
UPLOADS_EACH = 2
WORKERS = 4
SECONDS = 90
END_SECONDS = 20


@dataclass(frozen=True)
class Agent:
    """`kinds`: the profile types it makes."""

    name: str
    kinds: tuple
    run: object  # a context manager of (standin, directory) in which it runs


class _Program:
    """A child process whose output goes to a file of its directory."""

    def __init__(self, command, directory, **environment):
        self._command = [str(part) for part in command]
        self._environment = {**os.environ, **environment}
        self._log = directory / "agent.log"
        self._directory = directory

    def __enter__(self):
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                self._command,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, problem, *_more):
        ended = self._child.poll()
        self._child.kill()
        self._child.wait(END_SECONDS)
        if problem or ended is not None:
            print(self._log.read_text(errors="replace")[-4000:])
        assert ended is None, f"{self._command} ended with {ended}"


def node(modules):
    def run(standin, directory):
        return _Program(
            ["node", HERE / "node_agent.js"],
            directory,
            NODE_PATH=str(modules),
            NODE_EXTRA_CA_CERTS=str(standin.ca_file),
            GCE_METADATA_HOST=standin.metadata_host,
            STANDIN_API=standin.endpoint.removeprefix("https://"),
        )

    return Agent("Node.js agent", ("WALL", "HEAP"), run)


def python(interpreter):
    def run(standin, directory):
        return _Program(
            [interpreter, HERE / "python_agent.py"],
            directory,
            HTTPLIB2_CA_CERTS=str(standin.ca_file),
            # The agent's metadata server has a fixed name; a proxy leads it to ours.
            http_proxy=standin.proxy_url,
            no_proxy="localhost",
            STANDIN_KEY=str(standin.keys.service_account(directory / "key.json")),
            STANDIN_DISCOVERY=standin.discovery_url,
        )

    return Agent("Python agent", ("CPU", "WALL"), run)


def plugin(plugin_dir):
    """Under a real uWSGI with four workers and some load."""

    @contextlib.contextmanager
    def run(standin, directory):
        options = upload_options(
            standin,
            directory,
            cloudprofiler_service_version="1.0",
            cloudprofiler_disable_metadata=None,
        )
        server = Uwsgi(
            directory / "server",
            plugin_dir,
            env={"GCE_METADATA_HOST": standin.metadata_host},
            processes=WORKERS,
            **options,
            **LOCAL_OFF,
        )
        try:
            with server.start().load("/burn?ms=20"):
                yield
        except BaseException:
            server.end()  # shows the log
            raise
        server.stop()

    return Agent("uwsgi-cloudprofiler", ("CPU", "WALL"), run)


def enough(standin, kinds):
    """Whether each kind was uploaded so often."""
    uploaded = [upload.kind for upload in standin.uploads]
    return all(uploaded.count(kind) >= UPLOADS_EACH for kind in kinds)
