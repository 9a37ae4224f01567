"""An app that tags its own work. Each function says by its name what its samples must carry:
part_NAME and rest_NAME run where the tag `part` is NAME; part_none and rest_none where it is not
set.

    /pid            answers the worker's pid
    /<anything>     one of ROUTES; what the profile of it must show is said in test_python_api.py

SPDX-License-Identifier: MIT
"""

import os
import threading
import time

import burn
import cloudprofiler

MS = 4
REST_S = 0.004
TURNS = 3

ENABLED_AT_IMPORT = cloudprofiler.enabled()

SOURCE = """
def part_{name}(ms):
    burn(ms)

def rest_{name}(seconds):
    sleep(seconds)
"""

_functions = {"burn": burn.burn, "sleep": time.sleep}


def function(name):
    """part_x or rest_x."""
    if name not in _functions:
        exec(compile(SOURCE.format(name=name.split("_", 1)[1]), "parts.py", "exec"), _functions)
    return _functions[name]


def work(name):
    function("part_" + name)(MS)
    function("rest_" + name)(REST_S)


def nested():
    work("none")
    with cloudprofiler.tag(part="outer", depth="1"):
        work("outer")
        with cloudprofiler.tag(part="inner"):
            work("inner")
            with cloudprofiler.tag(other="x"):
                work("inner")
        work("outer")
    work("none")


def exception():
    with cloudprofiler.tag(part="around"):
        try:
            with cloudprofiler.tag(part="raising"):
                work("raising")
                raise KeyError("passes")
        except KeyError:
            work("around")
    work("none")


class Shop:
    @cloudprofiler.tag(part="method")
    def search(self, depth):
        work("method")
        if depth:
            self.search(depth - 1)
        work("method")


@cloudprofiler.tag(part="function")
def decorated():
    work("function")
    raise KeyError("passes")


def decorators():
    Shop().search(2)
    try:
        decorated()
    except KeyError:
        work("none")


def in_thread():
    """For good: threads that live for milliseconds are not sampled."""
    while True:
        work("none")
        with cloudprofiler.tag(part="thread"):
            work("thread")
        assert not cloudprofiler.set_tag("part", "wrong")  # it serves no request


started = []
starting = threading.Lock()  # two requests may find that there is none yet


def threads():
    with cloudprofiler.tag(part="starter"):
        with starting:
            if not started:
                started.append(threading.Thread(target=in_thread, daemon=True))
                started[0].start()
        work("starter")
    assert started[0].is_alive()
    work("none")


def two_steps(name):
    with cloudprofiler.tag(part=name):
        for _ in range(TURNS):
            work(name)
            yield name


def generators():
    """Two blocks that overlap, and neither lies inside of the other."""
    first = cloudprofiler.tag(part="first")
    second = cloudprofiler.tag(second="yes")
    first.__enter__()
    work("first")
    second.__enter__()
    work("first")
    first.__exit__(None, None, None)
    work("none")
    second.__exit__(None, None, None)
    for name in two_steps("generator"):
        work(name)
    work("none")


def for_the_request():
    work("none")
    assert cloudprofiler.set_tag("part", "request")
    work("request")
    with cloudprofiler.tag(part="inside"):
        work("inside")
    work("request")
    assert cloudprofiler.set_tag(key="part", value="later")
    work("later")


def left_open():
    """What a handler forgets to close is over with its request."""
    work("none")
    forgotten.append(cloudprofiler.tag(part="open").__enter__())
    work("open")


forgotten = []


def plain():
    work("none")


def asked_for():
    return f"{ENABLED_AT_IMPORT} {cloudprofiler.enabled()}"


def tasks():
    # Not at the top: under CPython 3.6 this module serves the other routes.
    import tagged_tasks

    tagged_tasks.run(work)


def greenlets():
    import gevent

    cloudprofiler.set_tag("part", "request")
    function("part_request")(MS)
    with cloudprofiler.tag(part="held"):
        for _ in range(TURNS):
            function("part_held")(MS)
            gevent.sleep(REST_S)
    function("part_request")(MS)
    child = gevent.spawn(in_greenlet)
    gevent.sleep(REST_S)
    function("part_request")(MS)
    child.join()


def in_greenlet():
    import gevent

    gevent.sleep(0)
    function("part_none")(MS)
    with cloudprofiler.tag(part="child"):
        gevent.sleep(REST_S)
        function("part_child")(MS)


def split(name):
    """The tag `route` is set by uWSGI's routing, `api` here."""
    with cloudprofiler.tag(api=name):
        burn.burn({"seventy": 7 * MS, "thirty": 3 * MS}[name])


ROUTES = {
    "/pid": lambda: None,
    "/nested": nested,
    "/exception": exception,
    "/decorators": decorators,
    "/threads": threads,
    "/generators": generators,
    "/request": for_the_request,
    "/open": left_open,
    "/plain": plain,
    "/tasks": tasks,
    "/greenlets": greenlets,
    "/enabled": asked_for,
    "/seventy": lambda: split("seventy"),
    "/thirty": lambda: split("thirty"),
}


def application(environ, start_response):
    answer = ROUTES[environ["PATH_INFO"]]()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [(answer or str(os.getpid())).encode()]
