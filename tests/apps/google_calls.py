"""Calls googlecloudprofiler.start() in all the ways that the query string asks for.

    /pid              answers the worker's pid
    /loaded           the outcome of each call of CALLS, which ran while the app was loaded
    /worker           that of the same calls, in the worker that answers
    /thread, /child   the same in a thread, in a child that the worker forks
    /agent            which module answers, what handles SIGALRM, which threads there are


An outcome is "None" or an exception, as in "ValueError: its text". GOOGLE_CALLS in the environment
is a JSON list of calls, each [positional arguments, keyword arguments]. The library that
GOOGLE_NATIVE_PART names is loaded before them.

SPDX-License-Identifier: MIT
"""

import ctypes
import json
import os
import pathlib
import signal
import threading

import googlecloudprofiler

# What JSON has no word for.
SPECIAL = {
    "PATH": pathlib.Path,
    "BYTES": lambda text: text.encode(),
    "LONG": lambda text: text * (1 << 20),
    "SURROGATE": lambda _text: "\udc80",
    "HOSTILE": lambda _text: Hostile(),
    "EMPTYING": lambda _text: Emptying(),
}


class Hostile:
    """An object whose every method that could be asked fails."""

    def __bool__(self):
        raise RuntimeError("no truth")

    def __index__(self):
        raise RuntimeError("no number")

    def __fspath__(self):
        raise RuntimeError("no path")


class Emptying:
    """A path that lets the other arguments go while it is asked."""

    def __fspath__(self):
        self.keywords.clear()
        return __file__


def made(value):
    if isinstance(value, str) and value.split(":")[0] in SPECIAL:
        kind, text = value.split(":", 1)
        return SPECIAL[kind](text)
    return value


def outcome(positional, keywords):
    keywords = {key: made(value) for key, value in keywords.items()}
    for value in keywords.values():
        if isinstance(value, Emptying):
            value.keywords = keywords
    try:
        return repr(googlecloudprofiler.start(*[made(value) for value in positional], **keywords))
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:600]}"


CALLS = json.loads(os.environ.get("GOOGLE_CALLS", "[]"))


def outcomes():
    return [outcome(*call) for call in CALLS]


if "GOOGLE_NATIVE_PART" in os.environ:
    ctypes.CDLL(os.environ["GOOGLE_NATIVE_PART"])
LOADED = outcomes()


def in_thread():
    results = []
    thread = threading.Thread(target=lambda: results.extend(outcomes()))
    thread.start()
    thread.join()
    return results


def in_child():
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(outcomes()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, status
    return json.loads(text)


def agent():
    return {
        "file": getattr(googlecloudprofiler, "__file__", None),
        "version": str(googlecloudprofiler.__version__),
        "handles_alarm": signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL,
        "threads": [thread.name for thread in threading.enumerate()],
    }


ROUTES = {
    "/pid": os.getpid,
    "/loaded": lambda: LOADED,
    "/worker": outcomes,
    "/thread": in_thread,
    "/child": in_child,
    "/agent": agent,
}


def application(environ, start_response):
    answer = json.dumps(ROUTES[environ["PATH_INFO"]]())
    start_response("200 OK", [("Content-Type", "application/json")])
    return [answer.encode()]
