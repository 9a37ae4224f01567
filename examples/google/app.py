"""An app as it is written for Google's own agent, with the call that Google's page asks for.

Under uWSGI with the plugin cloudprofiler nothing of it changes, and no package is needed: see
docs/coming-from-googlecloudprofiler.md.
"""

import hashlib

import googlecloudprofiler


def start_profiler():
    try:
        googlecloudprofiler.start(
            service="hello-profiler",
            service_version="1.0.1",
            verbose=3,  # all messages
        )
    except (ValueError, NotImplementedError) as error:
        print(f"no profiles: {error}")


start_profiler()


def digest(rounds):
    value = b"hello"
    for _ in range(rounds):
        value = hashlib.sha256(value).digest()
    return value.hex()


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [digest(20000).encode()]
