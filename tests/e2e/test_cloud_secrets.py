"""Keys and tokens are in the memory of the gateway, and in no other process of the server.

SPDX-License-Identifier: MIT
"""

import os
import pwd
import urllib.parse
from pathlib import Path

import pytest
from standin import BackToBack
from standin.tokens import private_key, private_key_pem
from testenv.cloud import LOCAL_OFF, upload_options

USER = "www-data"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="reads other processes' memory as root")


@pytest.fixture
def cloud(uwsgi, standin, workspace):
    """Starts a server that uploads to the stand-in, and to it alone."""

    def start(**options):
        return uwsgi(**upload_options(standin, workspace, **LOCAL_OFF) | options)

    return start


def memory(pid):
    """All that can be read of a process's memory, piece by piece."""
    proc = Path(f"/proc/{pid}")
    with (proc / "mem").open("rb", buffering=0) as mem:
        for line in (proc / "maps").read_text().splitlines():
            span, access = line.split()[:2]
            first, end = (int(number, 16) for number in span.split("-"))
            if "r" not in access or "[v" in line:
                continue
            mem.seek(first)
            yield mem.read(end - first)


def found_in(pid, secrets):
    """The names of those secrets that stand in the memory of a process."""
    return {name for piece in memory(pid) for name, secret in secrets.items() if secret in piece}


def secrets_of(standin):
    """What must stay in the gateway, by name, as bytes in memory."""
    form = urllib.parse.parse_qs(standin.requests_of("token")[0].body.decode())
    prime = private_key().private_numbers().p
    return {
        "key file": private_key_pem().splitlines()[5].encode(),
        # As OpenSSL holds it: words of a machine whose least byte comes first.
        "prime": prime.to_bytes((prime.bit_length() + 7) // 8, "little")[:32],
        "assertion": form["assertion"][0].rpartition(".")[2][:64].encode(),
        "token": standin.tokens.given[0].encode(),
    }


def test_secrets_are_in_the_gateway_alone(cloud, standin):
    standin.pace = BackToBack(["CPU", "WALL"], "0.5s")
    server = cloud(processes=2)
    with server.load("/burn?ms=20", threads=2):
        standin.wait_for_uploads(2)

    secrets = secrets_of(standin)
    in_gateway = found_in(server.gateway(), secrets)
    others = [server.master_pid, *server.wait_for_workers(2).values()]

    # The scan finds what is there; the file's text is wiped as soon as it is read.
    assert {"prime", "token"} <= in_gateway
    assert "key file" not in in_gateway
    assert [found_in(pid, secrets) for pid in others] == [set()] * 3


def test_the_gateway_of_another_user_names_it_and_cannot_be_looked_into(cloud, standin, workspace):
    # The option would be checked before the fork; the variable is the gateway's own business.
    key = standin.keys.service_account(workspace / "roots-own-key.json")
    authority = workspace / "authority.pem"
    authority.write_bytes(Path(standin.ca_file).read_bytes())
    server = cloud(
        user=USER,
        env={"GOOGLE_APPLICATION_CREDENTIALS": str(key)},
        cloudprofiler_credentials=None,
        cloudprofiler_ca_file=authority,
    )
    uid = pwd.getpwnam(USER).pw_uid

    server.wait_for_log(rf"key file {key}: no permission to read it as uid {uid}, ")
    gateway = Path(f"/proc/{server.gateway()}")

    assert f"Uid:\t{uid}\t" in (gateway / "status").read_text()
    # The kernel gives to root what stands in /proc of a process that is not dumpable.
    assert (gateway / "mem").stat().st_uid == 0
    assert standin.requests == []
