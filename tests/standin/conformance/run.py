"""Runs each client against a stand-in of its own and writes what they did side by side.

usage: run NODE_MODULES PYTHON PLUGIN_DIR TEXT MARKDOWN   (make conformance)

NODE_MODULES and PYTHON have the official agents, PLUGIN_DIR the plugin and the gateway. A client
passes when nothing that it sent was refused and each of its profile types was uploaded twice; that
the official agents pass proves the stand-in. Exit status 1 when a client does not.

SPDX-License-Identifier: MIT
"""

import argparse
import sys
import tempfile
from pathlib import Path

from testenv.wait import wait_for

from standin import BackToBack, StandIn

from . import agents, table

HEAD = """# Conformance with the Cloud Profiler API

What the official agents, unmodified, and this plugin send to the stand-in server of our tests,
which refuses whatever breaks a published rule (`tests/standin/`). Made by `make conformance`; not
written by hand. Nothing here has been to the real service.

"""


def observe(agent, directory):
    """The rows of one client; fails when anything of it was refused."""
    with StandIn(directory) as standin:
        standin.pace = BackToBack(duration="1s")
        with agent.run(standin, directory):
            wait_for(
                lambda: standin.problems or agents.enough(standin, agent.kinds),
                f"{agents.UPLOADS_EACH} uploads of {agent.kinds} by the {agent.name}",
                agents.SECONDS,
            )
        assert not standin.problems, standin.problems
        rows = table.rows_of(standin)
    uploads = {kind: [u.kind for u in standin.uploads].count(kind) for kind in agent.kinds}
    print(f"{agent.name}: accepted, uploads {uploads}", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("node_modules", "python", "plugin_dir", "text", "markdown"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    clients = [
        agents.node(arguments.node_modules.resolve()),
        agents.python(arguments.python.absolute()),
        agents.plugin(arguments.plugin_dir.resolve()),
    ]
    columns, failed = {}, False
    for agent in clients:
        with tempfile.TemporaryDirectory(prefix="cprof-conformance-") as directory:
            try:
                columns[agent.name] = observe(agent, Path(directory))
            except AssertionError as problem:
                print(f"{agent.name}: NOT accepted: {problem}", file=sys.stderr)
                failed = True
    if failed:
        return 1
    text = table.as_text(columns)
    print("\n" + text, end="")
    arguments.text.write_text(text)
    arguments.markdown.write_text(HEAD + table.as_markdown(columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
