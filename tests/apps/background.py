"""An app that has others do its work: mules and spoolers.

    /pid                 answers the worker's pid
    /message?ms=N        a mule burns N ms of CPU in a function that bears its pid in its name
    /signal?ms=N         the same, but 20 ms, by a signal of uWSGI's to mule 2
    /spool?ms=N          the same in a spooler, which then sleeps for 20 ms in rest()

The answer comes after 3 N ms, so that no queue grows without bound.

The file is also the code of a mule: one that burns 20 ms in such a function, sleeps as long in
rest(), and so on.

SPDX-License-Identifier: MIT
"""

import os
import time
from urllib.parse import parse_qs

import burn
import uwsgi

SIGNAL = 17
TURN_MS = 20


def on_message(message):
    burn.burn_own(int(message))


def on_signal(_number):
    burn.burn_own(TURN_MS)


def on_task(task):
    burn.burn_own(int(task.get(b"ms") or task["ms"]))
    rest()
    return uwsgi.SPOOL_OK


def rest():
    time.sleep(TURN_MS / 1000)


def work_for_ever():
    print("the mule is at work", flush=True)
    while True:
        burn.burn_own(TURN_MS)
        rest()


def message(ms):
    uwsgi.mule_msg(str(ms).encode())


def signal(_ms):
    uwsgi.signal(SIGNAL)


def spool(ms):
    uwsgi.spool({b"ms": str(ms).encode()})


ROUTES = {"/pid": lambda ms: None, "/message": message, "/signal": signal, "/spool": spool}


def application(environ, start_response):
    ms = int(parse_qs(environ["QUERY_STRING"]).get("ms", ["0"])[0])
    ROUTES[environ["PATH_INFO"]](ms)
    time.sleep(3 * ms / 1000)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


uwsgi.mule_msg_hook = on_message
uwsgi.spooler = on_task
if uwsgi.mule_id():
    work_for_ever()
uwsgi.register_signal(SIGNAL, "mule2", on_signal)
