"""The lists of system calls that services and containers are commonly held to, and the calls that a
server makes, by process.

SPDX-License-Identifier: MIT
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

_LISTS = Path(__file__).parent / "system_call_lists"
SECONDS = 30

# As strace writes it. The name of a call that strace is too old to know is its number.
_CALL = re.compile(r"^(\w+)\(|^<\.\.\. (\w+) resumed>")
_BIRTH = re.compile(r"^(?:clone3?|v?fork)\((.*)\) += (\d+)$|^<\.\.\. \w+ resumed>(.*)\) += (\d+)$")
_GATEWAY = re.compile(r'^execve\("[^"]*/cloudprofiler-gateway".*\) += 0$', re.MULTILINE)


def _from_file(name):
    lines = (_LISTS / name).read_text().splitlines()
    return {line for line in lines if not line.startswith("#")}


def _from_systemd(group):
    """A group of systemd's with the groups that it consists of."""
    text = subprocess.check_output(
        ["systemd-analyze", "--no-pager", "syscall-filter", group], text=True, timeout=SECONDS
    )
    words = {line.strip() for line in text.splitlines()[1:]}
    names = {word for word in words if word and word[0] not in "#@"}
    return names.union(*(_from_systemd(word) for word in words if word.startswith("@")))


def _of_a_service():
    return _from_systemd("@system-service")


def _of_a_careful_service():
    return _of_a_service() - _from_systemd("@privileged") - _from_systemd("@resources")


# By the words that people have in their files.
LISTS = {
    "@system-service": _of_a_service,
    "@system-service, ~@privileged @resources": _of_a_careful_service,
    "Docker": lambda: _from_file("docker.txt"),
    "RuntimeDefault": lambda: _from_file("kubernetes.txt"),
}


def why_not(name):
    """Why this list cannot be had here, None if it can."""
    if name.startswith("@") and not shutil.which("systemd-analyze"):
        return "systemd's lists are systemd-analyze's to tell: install the package systemd"
    return None


class Recording(NamedTuple):
    """A launcher for Uwsgi: strace beside the server, which stays the launched process."""

    directory: Path

    def launcher(self):
        self.directory.mkdir()
        return (
            *("strace", "-D", "-ff", "-qq", "-e", "signal=none"),
            *("-o", str(self.directory / "of")),
        )

    def calls(self, master, role_of):
        """Sets of calls by role. role_of: the role of a process that the master has forked, by its
        pid; a process that any other has forked has that one's role. Threads are of their
        process."""
        texts = {
            int(file.suffix[1:]): file.read_text(errors="replace")
            for file in self.directory.iterdir()
        }
        roles, waiting = {}, [(master, "master")]
        while waiting:
            pid, role = waiting.pop()
            if _GATEWAY.search(texts.get(pid, "")):
                role = "gateway"
            roles.setdefault(role, set()).update(_names(texts.get(pid, "")))
            for child, is_thread in _births(texts.get(pid, "")):
                own = role_of(child) if role == "master" and not is_thread else None
                waiting.append((child, own or role))
        return roles


def _names(text):
    found = (_CALL.match(line) for line in text.splitlines())
    return {match.group(1) or match.group(2) for match in found if match}


def _births(text):
    for line in text.splitlines():
        match = _BIRTH.match(line)
        if match:
            yield int(match.group(2) or match.group(4)), "CLONE_THREAD" in line


def strace_works():
    """Whether processes may be traced here (some containers refuse it)."""
    if not shutil.which("strace"):
        return False
    done = subprocess.run(
        ["strace", "-o", os.devnull, "true"], capture_output=True, timeout=SECONDS, check=False
    )
    return done.returncode == 0
