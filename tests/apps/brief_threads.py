"""An app in which little runs, but in a thread of its own each time.

    /    a thread that works for a millisecond now and then, for LIFE_S

SPDX-License-Identifier: MIT
"""

import threading
import time

import burn

LIFE_S = 1.2
REST_S = 0.015


def work_now_and_then():
    end = time.monotonic() + LIFE_S
    while time.monotonic() < end:
        burn.spin(burn.LOOPS_PER_MS)
        time.sleep(REST_S)


def application(environ, start_response):
    thread = threading.Thread(target=work_now_and_then)
    thread.start()
    thread.join()
    start_response("200 OK", [])
    return [b""]
