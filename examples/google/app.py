"""An app as it is written for Google's own agent; the call is that of Google's instructions.

Under uWSGI with the plugin cloudprofiler nothing of it changes, and no package is needed: see
docs/coming-from-googlecloudprofiler.md.
"""

import hashlib

import googlecloudprofiler


def start_profiler():
    # Profiler initialization. It starts a daemon thread which continuously
    # collects and uploads profiles. Best done as early as possible.
    try:
        googlecloudprofiler.start(
            service="hello-profiler",
            service_version="1.0.1",
            # verbose is the logging level. 0-error, 1-warning, 2-info,
            # 3-debug. It defaults to 0 (error) if not set.
            verbose=3,
            # project_id must be set if not running on GCP.
            # project_id='my-project-id',
        )
    except (ValueError, NotImplementedError) as exc:
        print(exc)  # Handle errors here


start_profiler()


def digest(rounds):
    value = b"hello"
    for _ in range(rounds):
        value = hashlib.sha256(value).digest()
    return value.hex()


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [digest(20000).encode()]
