"""The directory of a whole run.

SPDX-License-Identifier: MIT
"""

import contextlib
import signal
import sys
import tempfile
from pathlib import Path


@contextlib.contextmanager
def workspace(prefix="cprof-"):
    """A directory that other users can enter, which pytest's own tmp_path is not, and whose
    name is short enough for unix sockets. It is gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@contextlib.contextmanager
def workspace_of_program(prefix):
    """The same for a program's main block: one that is ended from outside ends its servers, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with workspace(prefix) as directory:
        yield directory
