"""Requests that hang, each in a function of its own, in whatever way the server's loop lets a
request wait: gevent, asyncio, uWSGI's own loop with the greenlet plugin, or threads.

    /hang/N/SECONDS     waits in hang_N, for N below FUNCTIONS
    /nested/N/SECONDS   the same inside of a context of its own (contextvars)
    /spawned/SECONDS    lets a greenlet that it makes wait in hang_0
    /download           answers with more than any socket holds
    /pid                answers the worker's pid

SPDX-License-Identifier: MIT
"""

import asyncio
import contextvars
import os
import time

import uwsgi

FUNCTIONS = 50
DOWNLOAD_BYTES = 50_000_000


def wait_in_asyncio(seconds):
    import greenlet

    own = greenlet.getcurrent()
    asyncio.get_event_loop().call_later(seconds, own.switch)
    own.parent.switch()


def wait_in_uwsgi(seconds):
    uwsgi.async_sleep(int(seconds))
    uwsgi.suspend()


def waiting_way():
    if "gevent" in uwsgi.opt:
        import gevent

        return gevent.sleep
    if "asyncio" in uwsgi.opt:
        # From CPython 3.12 on uWSGI finds no loop that was not set. Processes must not share one.
        uwsgi.post_fork_hook = lambda: asyncio.set_event_loop(asyncio.new_event_loop())
        return wait_in_asyncio
    return wait_in_uwsgi if "greenlet" in uwsgi.opt else time.sleep


wait = waiting_way()

for number in range(FUNCTIONS):
    exec(f"def hang_{number}(seconds):\n    wait(seconds)\n")


def hang(number, seconds):
    globals()[f"hang_{number}"](float(seconds))


def nested(number, seconds):
    contextvars.copy_context().run(hang, number, seconds)


def spawned(seconds):
    import gevent

    gevent.spawn(hang, 0, seconds).join()


WAYS = {"hang": hang, "nested": nested, "spawned": spawned}


def application(environ, start_response):
    name, *arguments = environ["PATH_INFO"].split("/")[1:]
    if name in WAYS:
        WAYS[name](*arguments)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"x" * DOWNLOAD_BYTES if name == "download" else str(os.getpid()).encode()]
