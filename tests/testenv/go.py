"""The Go toolchain: any will do, and tests that need it are skipped where there is none.

SPDX-License-Identifier: MIT
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .build import SOURCE

BUILD_SECONDS = 300
# Go's own library has to be compiled for a shared object: kept from run to run.
CACHE = SOURCE / "build" / "go-cache"


def find_go(what):
    """The command; `what` Go is needed for, as the end of a sentence."""
    go = os.environ.get("GO") or shutil.which("go") or "/usr/local/go/bin/go"
    if not Path(go).exists():
        pytest.skip(f"needs Go, {what}: make deps-test")
    return go


def build_go_library(source, library):
    """`source` is a directory with a go.mod; nothing is fetched."""
    go = find_go("which builds a library with a Go runtime")
    environment = {**os.environ, "CGO_ENABLED": "1", "GOTOOLCHAIN": "local", "GOPROXY": "off"}
    environment["PATH"] = f"{Path(go).parent}:{os.environ['PATH']}"
    subprocess.run(
        [go, "build", "-buildmode=c-shared", "-o", str(library), "."],
        cwd=source,
        env={"GOCACHE": str(CACHE), **environment},
        timeout=BUILD_SECONDS,
        check=True,
    )
    return library
