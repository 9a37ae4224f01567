"""An app whose workers are killed: each answer says who gives it before the work begins, so that
a client whose answer is cut knows the process that it lost.

    /pid                 no work
    /own?ms=N            N ms of CPU in a function that bears the worker's pid in its name
    /rest?ms=N           N ms of sleep in rest_for()
    /message?ms=N        a mule burns N ms, see background.py
    /spool?ms=N          a spooler burns N ms, see background.py

The answer is the worker's pid, a newline and DONE.
"""

import os
import time
from urllib.parse import parse_qs

import background
import burn

DONE = b"done"


def rest_for(ms):
    time.sleep(ms / 1000)


def with_rest(path):
    """As background.py does it: no queue grows without bound."""
    act = background.ROUTES[path]

    def act_and_rest(ms):
        act(ms)
        rest_for(3 * ms)

    return act_and_rest


ROUTES = {
    "/pid": lambda ms: None,
    "/own": burn.burn_own,
    "/rest": rest_for,
    "/message": with_rest("/message"),
    "/spool": with_rest("/spool"),
}


def application(environ, start_response):
    ms = int(parse_qs(environ["QUERY_STRING"]).get("ms", ["0"])[0])
    act = ROUTES[environ["PATH_INFO"]]
    first = str(os.getpid()).encode() + b"\n"
    length = str(len(first) + len(DONE))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", length)])
    yield first
    act(ms)
    yield DONE
