"""An app whose tag and function's name try to be more than text.

    /pid            answers the worker's pid
    /<anything>     burns for a moment

SPDX-License-Identifier: MIT
"""

import os

import burn
import cloudprofiler

TRAP = "</script><script>alert('1')</script>\"'\\;\n\r\x1b[31m\x7f\u0085\u202e 9\n"


def work():
    burn.burn(20)


work.__code__ = work.__code__.replace(co_name=TRAP, co_filename=TRAP)


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] != "/pid":
        with cloudprofiler.tag(trap=TRAP):
            work()
    return [str(os.getpid()).encode()]
