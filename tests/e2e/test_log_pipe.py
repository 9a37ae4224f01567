"""Whoever reads the log may hang: the gateway does not hang with it.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import re
import signal
import subprocess

from testenv.endpoint import TOKEN, Endpoint
from testenv.loop import TURN_MS, longest_turn_ms

TO_PIPE = ("sh", "-c", 'exec "$@" > pipe 2>&1', "sh")


@contextlib.contextmanager
def collector(server):
    """A program that takes the server's log from a pipe to a file."""
    pipe = server.directory / "pipe"
    os.mkfifo(pipe)
    with server.log_file.open("ab") as log:
        program = subprocess.Popen(["cat", str(pipe)], stdout=log)
    try:
        yield program
        server.stop()  # which ends the pipe
        assert program.wait(30) == 0
    finally:
        program.kill()
        program.wait()


@contextlib.contextmanager
def hanging(program, server):
    """It reads nothing, and the pipe is full."""
    program.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, program.pid, os.WSTOPPED | os.WNOWAIT)
    full = os.open(server.directory / "pipe", os.O_WRONLY | os.O_NONBLOCK)
    try:
        for size in (4096, 1):
            with contextlib.suppress(BlockingIOError):
                while os.write(full, b"\n" * size):
                    pass
        yield
    finally:
        os.close(full)
        program.send_signal(signal.SIGCONT)


def dropped(endpoint):
    metrics = endpoint.ask("/metrics").text
    return int(re.search(r"^cloudprofiler_log_lines_dropped (\d+)$", metrics, re.MULTILINE)[1])


def test_a_log_that_nobody_reads_holds_up_neither_endpoint_nor_profiles(make_uwsgi):
    server = make_uwsgi(
        launcher=TO_PIPE,
        cloudprofiler_verbose=3,
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_http_token=TOKEN,
    )
    with collector(server) as program:
        server.start()
        endpoint = Endpoint(server)
        assert dropped(endpoint) == 0

        with hanging(program, server):
            server.pass_windows(2)
            lost = dropped(endpoint)
            longest_ms = longest_turn_ms(endpoint)

        server.wait_for_log(r"warning: (\d+) log lines of the gateway are missing here")
    assert lost > 0
    assert longest_ms < TURN_MS
