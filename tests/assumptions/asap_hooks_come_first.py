#!/usr/bin/python3
"""The hooks "asap" are the first that uWSGI does with its options: no file, socket, log or pidfile
is touched before them, and what they print comes to the terminal. An exit() there runs vacuum.

usage: tests/assumptions/asap_hooks_come_first.py   (`make assumptions`)

Shown on uWSGI 2.0.31 of PyPI, which is kept in build/assumptions/, and on Debian's uWSGI if it is
installed. Prints one line for each; exit status 1 if it is not so.

SPDX-License-Identifier: MIT
"""

import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
FROM_PYPI = SOURCE / "build" / "assumptions" / "uwsgi-2.0.31"
PINNED = "uwsgi==2.0.31"
DEBIAN = Path("/usr/bin/uwsgi")
SECONDS = 60

# The hook ends the process by a signal, so that nothing runs at its end, or by exit(0).
BY_SIGNAL = "exec:kill -KILL $PPID"
BY_EXIT = "exit:"

INI = """[uwsgi]
pidfile = %d/pid
pidfile2 = %d/pid2
safe-pidfile = %d/safe
daemonize = %d/log
log-master = true
master = true
socket = %d/app.sock
shared-socket = %d/shared.sock
stats = %d/stats.sock
master-fifo = %d/fifo
exec-asap = touch %d/command
hook-asap = print:the hook is heard
hook-asap = {end}
vacuum = true
"""


def install():
    if not (FROM_PYPI / "bin" / "uwsgi").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", FROM_PYPI], check=True)
        command = [FROM_PYPI / "bin" / "pip", "install", "--quiet", "--no-binary=uwsgi", PINNED]
        subprocess.run(command, check=True)
    return FROM_PYPI / "bin" / "uwsgi"


def start(uwsgi, end, names):
    """Runs a start that ends in its hook, in a directory that has the named files; returns what it
    printed and the names that are there afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        for name in names:
            Path(directory, name).touch()
        ini = Path(directory, "uwsgi.ini")
        ini.write_text(INI.format(end=end))
        done = subprocess.run(
            [uwsgi, "--ini", ini],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        ini.unlink()
        return done.stdout, {path.name for path in Path(directory).iterdir()}


def fault(uwsgi):
    printed, left = start(uwsgi, BY_SIGNAL, [])
    if left:
        return f"a start that ended in its hook left {sorted(left)}"
    if "the hook is heard" not in printed:
        return "the hook's line did not come to the terminal"
    _printed, left = start(uwsgi, BY_EXIT, ["pid", "pid2", "safe"])
    if left:
        return f"exit() in the hook did not run vacuum: {sorted(left)} are still there"
    return ""


def main():
    status = 0
    for uwsgi in [install(), *([DEBIAN] if DEBIAN.exists() else [])]:
        version = subprocess.run([uwsgi, "--version"], capture_output=True, text=True, check=True)
        found = fault(uwsgi)
        status |= bool(found)
        what = found or "hooks asap come before all else, and exit() there runs vacuum"
        print(f"{'NOT SO' if found else 'so'}: uWSGI {version.stdout.strip()}: {what}")
    return status


if __name__ == "__main__":
    sys.exit(main())
