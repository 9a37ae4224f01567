"""The stand-in as a program of its own.

SPDX-License-Identifier: MIT
"""

import os
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_the_command_serves_until_it_is_ended(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-m", "standin", "--http1", str(tmp_path / "files")],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    endpoint = child.stdout.readline().split(" = ")[1].strip()
    ca_file = child.stdout.readline().split(" = ")[1].strip()
    tls = ssl.create_default_context(cafile=ca_file)
    discovery = f"{endpoint}/discovery/v1/apis/cloudprofiler/v2/rest"
    try:
        with urllib.request.urlopen(discovery, context=tls, timeout=20) as answer:
            assert endpoint in answer.read().decode()
        lines = iter(child.stdout.readline, "")
        assert any(line.startswith("GET /discovery") and "200" in line for line in lines)
    finally:
        child.terminate()
        child.stdout.close()
        assert child.wait(20) == 0
    names = {path.name for path in (tmp_path / "files").glob("*.json")}
    assert len(names) == 4 and "service-account.json" in names
