"""A second app beside burn.py, for another mount point.

    /second/work?ms=N    N ms of CPU in a function that bears the worker's pid in its name, and as
                         long asleep in rest()

SPDX-License-Identifier: MIT
"""

import os
import time
from urllib.parse import parse_qs

import burn

OWN_SOURCE = """
def second_function_of_{pid}(loops):
    while loops:
        loops -= 1
"""

_functions = {}


def burn_own(ms):
    pid = os.getpid()
    if pid not in _functions:
        names = {}
        exec(compile(OWN_SOURCE.format(pid=pid), "second_own.py", "exec"), names)
        _functions[pid] = names[f"second_function_of_{pid}"]
    _functions[pid](ms * burn.LOOPS_PER_MS)


def rest(ms):
    time.sleep(ms / 1000)


def application(environ, start_response):
    ms = int(parse_qs(environ["QUERY_STRING"]).get("ms", ["0"])[0])
    burn_own(ms)
    rest(ms)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
