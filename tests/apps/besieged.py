"""All at once: requests that hang as in hangs.py, beside a thread whose stacks are never the same
twice, as in ever_new.py, so that the log fills.

    /work   starts the thread; all other paths are those of hangs.py

SPDX-License-Identifier: MIT
"""

import ever_new
import hangs


def application(environ, start_response):
    app = ever_new if environ["PATH_INFO"] == "/work" else hangs
    return app.application(environ, start_response)
