"""An app with a signal handler of its own, written in Python and set when the app is loaded.

    /pid      answers the worker's pid
    /count    answers how often the handler has run in this worker

SPDX-License-Identifier: MIT
"""

import os
import signal

SIGNAL = signal.SIGRTMIN + 3

calls = []


def on_signal(number, _frame):
    calls.append(number)


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(len(calls) if environ["PATH_INFO"] == "/count" else os.getpid()).encode()]


signal.signal(SIGNAL, on_signal)
