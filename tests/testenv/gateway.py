"""Gateways of tests: the product's program or another one, behind a script.

The plugin chooses the environment that the gateway gets, so that what a test wants there has to be
set behind it.

SPDX-License-Identifier: MIT
"""

import shlex

from .build import GATEWAY


def wrap_gateway(directory, *lines, program=None, **environment):
    """A shell script for cloudprofiler-gateway-binary, which executes `lines` and then the program,
    `directory`'s if none is given, with these variables."""
    exports = [f"export {name}={shlex.quote(str(value))}" for name, value in environment.items()]
    program = shlex.quote(str(program or directory / GATEWAY))
    script = directory / "wrapped-gateway"
    text = "\n".join(["#!/bin/sh", *lines, *exports, f'exec {program} "$@"', ""])
    script.write_text(text)
    script.chmod(0o755)
    return script
