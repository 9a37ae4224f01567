"""An app that wants the profiler's signal for itself.

    /burn?ms=N        burns CPU
    /take             handles SIGURG from now on
    /count            answers how often its handler ran

SPDX-License-Identifier: MIT
"""

import signal

import burn

calls = []


def on_signal(number, frame):
    calls.append(number)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/take":
        signal.signal(signal.SIGURG, on_signal)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"taken"]
    if path == "/count":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(len(calls)).encode()]
    return burn.application(environ, start_response)
