"""Runs the stand-in for a person, until Ctrl-C, and prints each request.

usage: PYTHONPATH=tests python3 -m standin [--every SECONDS] [--duration 10s] [--http1] [DIRECTORY]

DIRECTORY gets the CA and key files of each kind; without it a temporary one is used.

SPDX-License-Identifier: MIT
"""

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from pathlib import Path

from . import BackToBack, EachSeconds, StandIn

LOOK_EVERY_S = 0.1


def write_keys(standin, directory):
    """One file of each kind; returns their paths."""
    return [
        standin.keys.service_account(directory / "service-account.json"),
        standin.keys.authorized_user(directory / "authorized-user.json"),
        standin.keys.external_account(directory / "external-account.json"),
        standin.keys.impersonated_service_account(directory / "impersonated.json"),
    ]


def describe(standin, keys):
    lines = [
        f"cloudprofiler-api-endpoint = {standin.endpoint}",
        f"cloudprofiler-ca-file = {standin.ca_file}",
        f"cloudprofiler-credentials = {keys[0]}",
        *(f"  or {key}" for key in keys[1:]),
        f"GCE_METADATA_HOST={standin.metadata_host}",
        f"HTTPS_PROXY={standin.proxy_url}",
    ]
    print("\n".join(lines), flush=True)


def show(request):
    outcome = request.problem or ("the client went away" if request.abandoned else "")
    path = request.path[:100]
    print(f"{request.method} {path} {request.status or '-'} {outcome}".rstrip(), flush=True)


def follow(standin):
    """Prints each request once it is answered."""
    seen, waiting = 0, []
    while True:
        new = standin.requests[seen:]
        seen += len(new)
        waiting += new
        done = [one for one in waiting if one.status is not None or one.abandoned]
        for request in done:
            show(request)
        waiting = [one for one in waiting if one not in done]
        time.sleep(LOOK_EVERY_S)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=float, help="ask for each type once in so many seconds")
    parser.add_argument("--duration", default="10s", help="of the profiles, such as 10s")
    parser.add_argument("--http1", action="store_true", help="offer no HTTP/2")
    parser.add_argument("directory", nargs="?", type=Path)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as ends:
        directory = arguments.directory or Path(
            ends.enter_context(tempfile.TemporaryDirectory(prefix="standin-"))
        )
        directory.mkdir(parents=True, exist_ok=True)
        standin = ends.enter_context(StandIn(directory.resolve(), http2=not arguments.http1))
        standin.pace = (
            EachSeconds(arguments.every, arguments.duration)
            if arguments.every
            else BackToBack(duration=arguments.duration)
        )
        describe(standin, write_keys(standin, directory.resolve()))
        with contextlib.suppress(KeyboardInterrupt):
            follow(standin)


if __name__ == "__main__":
    main()
