"""An app with threads of its own that sleep for ever, as pools of clients and drivers do.

    /crowd?count=N   starts N of them
    /nap             sleeps in nap(); answers when it began to

SPDX-License-Identifier: MIT
"""

import threading
import time
from urllib.parse import parse_qs

NAP_SECONDS = 0.03


def stand_by():
    threading.Event().wait()


def gather(count):
    for _ in range(count):
        threading.Thread(target=stand_by, daemon=True).start()


def nap():
    time.sleep(NAP_SECONDS)


def application(environ, start_response):
    body = "done"
    if environ["PATH_INFO"] == "/crowd":
        gather(int(parse_qs(environ["QUERY_STRING"])["count"][0]))
    elif environ["PATH_INFO"] == "/nap":
        body = repr(time.time())
        nap()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
