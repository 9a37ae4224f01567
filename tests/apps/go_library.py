"""An app with a library that has a Go runtime: tests/apps/go_library, at $GO_LIBRARY.

$GO_LOADED says when it is loaded: "import" with the app, "request" by the first request that
needs it, "master" with the app before the workers are forked, as import does with a master. Go
does not live on in a fork, with or without a profiler, so the master's goroutines run in a
thread there, and workers do not call them.

    /go      burns CPU in goroutines; in the form "master" in Python

SPDX-License-Identifier: MIT
"""

import ctypes
import os
import threading

import burn

GOROUTINES = 4
LOOPS = 500_000
BURN_MS = 5

LOADED = os.environ["GO_LOADED"]


class Go:
    library = None

    @classmethod
    def load(cls):
        if cls.library is None:
            cls.library = ctypes.CDLL(os.environ["GO_LIBRARY"])
            cls.library.go_burn.argtypes = [ctypes.c_int, ctypes.c_int]
            cls.library.go_burn.restype = ctypes.c_ulonglong
        return cls.library

    @classmethod
    def burn(cls):
        cls.load().go_burn(GOROUTINES, LOOPS)


def burn_for_ever():
    while True:
        Go.burn()


if LOADED in ("import", "master"):
    Go.load()
if LOADED == "master":
    threading.Thread(target=burn_for_ever, daemon=True).start()


def burn_python():
    burn.burn(BURN_MS)


def application(environ, start_response):
    if environ["PATH_INFO"] == "/go":
        if LOADED == "master":
            burn_python()
        else:
            Go.burn()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
