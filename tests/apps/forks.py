"""An app that forks in every way Python knows, and tells how its children fared.

    /pid              answers the worker's pid
    /fork?how=NAME    one child; answers its exit status, 0 when all was well

Each child burns CPU in child_work(), which must never appear in a profile, and ends with
TIMERS_INHERITED when it finds a timer that it did not make.

SPDX-License-Identifier: MIT
"""

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import parse_qs

import burn

CHILD_MS = 15  # more than a period, so that an inherited timer would expire
PARENT_MS = 15
TIMERS_INHERITED = 7
PYTHON = os.environ["PYTHON_PROGRAM"]
TIMERS_PROGRAM = (
    f"import sys; sys.exit({TIMERS_INHERITED} if open('/proc/self/timers').read() else 0)"
)


def child_work():
    burn.spin(CHILD_MS * burn.LOOPS_PER_MS)
    return TIMERS_INHERITED if Path("/proc/self/timers").read_text() else 0


def wait_for_child(pid):
    """The child's exit status, negative for a signal. os.waitstatus_to_exitcode() is too new."""
    status = os.waitpid(pid, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def fork_and_leave_at_once():
    pid = os.fork()
    if pid == 0:
        os._exit(child_work())
    return wait_for_child(pid)


def fork_and_exit():
    """The child's SystemExit goes up through uWSGI, which ends it by exit()."""
    pid = os.fork()
    if pid == 0:
        sys.exit(child_work())
    return wait_for_child(pid)


def fork_twice():
    pid = os.fork()
    if pid == 0:
        os._exit(max(fork_and_leave_at_once(), child_work()))
    return wait_for_child(pid)


def fork_with_thread():
    """A thread that the child starts is new to everybody."""
    pid = os.fork()
    if pid == 0:
        statuses = []
        thread = threading.Thread(target=lambda: statuses.append(child_work()))
        thread.start()
        thread.join()
        os._exit(max(statuses, default=1))
    return wait_for_child(pid)


def exit_with_child_work():
    sys.exit(child_work())


def use_multiprocessing():
    child = multiprocessing.get_context("fork").Process(target=exit_with_child_work)
    child.start()
    child.join()
    return child.exitcode


def use_subprocess():
    return subprocess.run([PYTHON, "-c", TIMERS_PROGRAM], check=False).returncode


def use_subprocess_with_preexec():
    command = [PYTHON, "-c", TIMERS_PROGRAM]
    return subprocess.run(command, check=False, preexec_fn=child_work).returncode


WAYS = {
    "fork": fork_and_leave_at_once,
    "exit": fork_and_exit,
    "twice": fork_twice,
    "thread": fork_with_thread,
    "multiprocessing": use_multiprocessing,
    "subprocess": use_subprocess,
    "preexec": use_subprocess_with_preexec,
}


def parent_work():
    burn.spin(PARENT_MS * burn.LOOPS_PER_MS)


def application(environ, start_response):
    answer = os.getpid()
    if environ["PATH_INFO"] == "/fork":
        parent_work()
        answer = WAYS[parse_qs(environ["QUERY_STRING"])["how"][0]]()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(answer).encode()]
