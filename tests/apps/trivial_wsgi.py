"""An app that does next to nothing, thousands of times a second.

SPDX-License-Identifier: MIT
"""


def application(environ, start_response):
    body = b"hello"
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    # uWSGI closes and does not say so; a client that expects no end would count an error.
    headers.append(("Connection", "close"))
    start_response("200 OK", headers)
    return [body]
