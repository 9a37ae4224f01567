"""An app that does next to nothing, for thousands of requests a second.

SPDX-License-Identifier: MIT
"""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
