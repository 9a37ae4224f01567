"""File systems of user space (FUSE) that show a directory at another place.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import shutil
import subprocess

import pytest

from .wait import wait_for

# Neither asks for anything beyond loopback. bindfs has hard links and no RENAME_NOREPLACE, rclone
# has none of the two and gives every file the mode 0644.
COMMANDS = {
    "bindfs": ["bindfs", "-f"],
    "rclone": ["rclone", "mount", "--config", "/dev/null"],
}


@contextlib.contextmanager
def fuse_mount(kind, source, target):
    """`source`, shown at `target`, until the block ends; skips the test where that cannot be."""
    if not shutil.which(kind):
        pytest.skip(f"{kind} is not installed: apt-get install {kind} fuse3")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("/dev/fuse cannot be opened here, so that no FUSE file system can be mounted")
    with subprocess.Popen([*COMMANDS[kind], str(source), str(target)]) as server:
        try:
            wait_for(lambda: target.is_mount() or server.poll() is not None, f"the mount of {kind}")
            if not target.is_mount():
                pytest.skip(f"{kind} cannot mount here: it ended with {server.poll()}")
            yield
        finally:
            if target.is_mount():
                subprocess.run(["umount", str(target)], check=True)
            server.terminate()
