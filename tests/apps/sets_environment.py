"""An app that puts things into the environment while it is loaded: what environment.json beside it
says, null for a variable to take away.

    /environment   answers the names of all variables
    others         as burn.py

SPDX-License-Identifier: MIT
"""

import json
import os
from pathlib import Path

import burn

for name, value in json.loads(Path(__file__).with_name("environment.json").read_text()).items():
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def application(environ, start_response):
    if environ["PATH_INFO"] != "/environment":
        return burn.application(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [" ".join(os.environ).encode()]
