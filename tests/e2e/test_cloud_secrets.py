"""Keys and tokens are in the memory of the gateway, and in no other process of the server.

SPDX-License-Identifier: MIT
"""

import errno
import mmap
import os
import pwd
import shutil
import subprocess
import urllib.parse
from pathlib import Path

import pytest
from standin import BackToBack, hang
from standin.tokens import private_key, private_key_pem
from testenv import needs
from testenv.build import PYTHON
from testenv.cloud import LOCAL_OFF, upload_options
from testenv.wait import wait_for

USER = "www-data"
UID = pwd.getpwnam(USER).pw_uid

# Says of each process whether the kernel lets its maps and memory be read, and it be traced.
LOOK = """
import ctypes, sys
PTRACE_SEIZE = 0x4206
libc = ctypes.CDLL(None)
def opens(path):
    try:
        open(path, "rb").close()
    except PermissionError:
        return False
    return True
for pid in sys.argv[1:]:
    traced = libc.ptrace(PTRACE_SEIZE, int(pid), None, None) == 0
    looks = [opens(f"/proc/{pid}/maps"), opens(f"/proc/{pid}/mem"), traced]
    print(*("allowed" if look else "refused" for look in looks))
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason=needs.ROOT)


@pytest.fixture
def cloud(uwsgi, standin, workspace):
    """Starts a server that uploads to the stand-in, and to it alone."""

    def start(**options):
        return uwsgi(**upload_options(standin, workspace, **LOCAL_OFF) | options)

    return start


def pieces(mem, first, end):
    """What can be read of a range: newer kernels have guard pages within, as of stacks."""
    while first < end:
        mem.seek(first)
        try:
            piece = mem.read(end - first)
        except OSError as error:
            assert error.errno == errno.EIO, error
            first += mmap.PAGESIZE
        else:
            first += len(piece) or end - first
            yield piece


def memory(pid):
    """All that can be read of a process's memory, piece by piece."""
    proc = Path(f"/proc/{pid}")
    with (proc / "mem").open("rb", buffering=0) as mem:
        for line in (proc / "maps").read_text().splitlines():
            span, access = line.split()[:2]
            first, end = (int(number, 16) for number in span.split("-"))
            if "r" not in access or "[v" in line:
                continue
            yield from pieces(mem, first, end)


def found_in(pid, secrets):
    """The names of those secrets that stand in the memory of a process."""
    return {name for piece in memory(pid) for name, secret in secrets.items() if secret in piece}


def secrets_of(standin):
    """What must stay in the gateway, by name, as bytes in memory."""
    form = urllib.parse.parse_qs(standin.requests_of("token")[0].body.decode())
    numbers = private_key().private_numbers()
    assertion = form["assertion"][0]
    return {
        "key file": private_key_pem().splitlines()[5].encode(),
        # As DER has it, and as OpenSSL computes with it: the least byte first.
        "prime in DER": big_endian(numbers.p)[:32],
        "prime": big_endian(numbers.p)[::-1][:32],
        "other prime": big_endian(numbers.q)[::-1][:32],
        "exponent in DER": big_endian(numbers.d)[:32],
        "exponent": big_endian(numbers.d)[::-1][:32],
        "assertion": assertion.rpartition(".")[2][:64].encode(),
        "assertion's claims": assertion.split(".")[1][:64].encode(),
    }


def big_endian(number):
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def test_secrets_are_in_the_gateway_alone(cloud, standin):
    standin.pace = BackToBack(["CPU", "WALL"], "0.5s")
    server = cloud(processes=2)
    with server.some_work():
        standin.wait_for_uploads(2)

    secrets = secrets_of(standin) | {"token": standin.tokens.given[0].encode()}
    in_gateway = found_in(server.gateway(), secrets)
    others = [server.master_pid, *server.wait_for_workers(2).values()]

    # The scan finds what is there; the file's text is wiped as soon as it is read.
    print(f"in the gateway: {sorted(in_gateway)}")
    assert {"prime", "other prime", "token"} <= in_gateway
    assert not {"key file", "prime in DER", "exponent in DER"} & in_gateway
    assert [found_in(pid, secrets) for pid in others] == [set()] * 3


def test_an_assertion_is_in_the_gateway_while_it_is_sent(cloud, standin):
    standin.always("token", hang())
    server = cloud(processes=2)
    standin.wait_for_requests("token")

    secrets = secrets_of(standin)
    others = [server.master_pid, *server.wait_for_workers(2).values()]

    assert "assertion" in found_in(server.gateway(), secrets)
    assert [found_in(pid, secrets) for pid in others] == [set()] * 3


def test_an_assertion_is_wiped_with_the_copies_of_libraries(cloud, standin):
    server = cloud(processes=2)
    standin.wait_for_hanging(1)

    secrets = secrets_of(standin) | {"token": standin.tokens.given[0].encode()}
    spent = {"assertion", "assertion's claims"}

    # A libcurl that ends connections in the background keeps their buffers until then.
    wait_for(
        lambda: not spent & found_in(server.gateway(), secrets),
        "the assertion to be wiped",
    )
    assert "token" in found_in(server.gateway(), secrets)


@pytest.fixture
def cloud_of_user(cloud, standin, workspace):
    """The same as USER, with a key and certificates that this user can read."""
    directory = workspace / f"of-{USER}"
    directory.mkdir(exist_ok=True)
    key = standin.keys.service_account(directory / "key.json")
    shutil.chown(key, USER)
    authority = directory / "authority.pem"
    authority.write_bytes(Path(standin.ca_file).read_bytes())

    def start(**options):
        files = {"cloudprofiler_credentials": key, "cloudprofiler_ca_file": authority}
        return cloud(user=USER, **files | options)

    start.key = key
    yield start
    shutil.rmtree(directory)


def test_a_process_of_the_same_user_cannot_look_into_the_gateway(cloud_of_user, standin):
    server = cloud_of_user()
    standin.wait_for_hanging(1)

    # The other process shows that the look itself works.
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, user=USER, group=USER) as other:
        found = subprocess.run(
            [PYTHON, "-c", LOOK, str(server.gateway()), str(other.pid)],
            user=USER,
            group=USER,
            extra_groups=[],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.splitlines()

    assert found == ["refused refused refused", "allowed allowed allowed"]


def test_a_key_that_becomes_unreadable_is_told_with_the_uid(cloud_of_user, standin):
    server = cloud_of_user()
    standin.wait_for_hanging(1)
    replacement = cloud_of_user.key.with_suffix(".new")
    standin.keys.service_account(replacement).rename(cloud_of_user.key)
    standin.expire_tokens()

    standin.release("CPU", "0.5s")
    with server.some_work():
        server.wait_for_log(f"key file {cloud_of_user.key}: no permission to read it as uid {UID}")
    assert "PRIVATE KEY" not in server.log

    # The operator mends it.
    shutil.chown(cloud_of_user.key, USER)
    standin.release("CPU", "0.5s")
    with server.some_work():
        wait_for(lambda: standin.uploads, "an upload")
    server.wait_for_log("Cloud Profiler takes profiles again")


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

    server.wait_for_log(rf"key file {key}: no permission to read it as uid {UID}, ")
    gateway = Path(f"/proc/{server.gateway()}")

    assert f"Uid:\t{UID}\t" in (gateway / "status").read_text()
    # The kernel gives to root what stands in /proc of a process that is not dumpable.
    assert (gateway / "mem").stat().st_uid == 0
    assert standin.requests == []
