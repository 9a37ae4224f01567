"""Something that uploads need is not there: one line says what, and local profiles go on.

SPDX-License-Identifier: MIT
"""

import os
import subprocess

import pytest
from testenv import needs
from testenv.cloud import upload_options
from testenv.uwsgi import QUICK

MORE_PROFILES = 3

# What this machine's own environment must not decide.
NOTHING = {"GOOGLE_APPLICATION_CREDENTIALS": "", "GOOGLE_CLOUD_PROJECT": "", "GCLOUD_PROJECT": ""}

# In a mount namespace of its own: no certificates, as in a bare image.
HIDES_CERTIFICATES = (
    "unshare",
    "--mount",
    "sh",
    "-c",
    'mount -t tmpfs none /etc/ssl && exec "$@"',
    "sh",
)


@pytest.fixture
def server_without(make_uwsgi, standin, tmp_path):
    """Starts a server with local profiles that wants to upload, too."""

    def start(launcher=(), env=None, **options):
        options = upload_options(standin, tmp_path, **QUICK) | options
        env = {**NOTHING, "CLOUDSDK_CONFIG": str(tmp_path), **(env or {})}
        return make_uwsgi(launcher=launcher, env=env, **options).start()

    return start


def check_one_line(server, said):
    """Local profiles come, and the one warning is what it should be, whatever is tried again."""
    with server.some_work():
        server.wait_for_log(said)
        server.wait_for_profiles(MORE_PROFILES)
    assert len(server.our_warnings) == 1, server.our_warnings
    assert server.our_errors == []


def test_without_credentials(server_without, standin):
    server = server_without(cloudprofiler_credentials=None)

    check_one_line(server, "no access token: no credentials: .*cloudprofiler-credentials")

    assert standin.requests == []


def test_without_a_project(server_without, standin, tmp_path):
    key = standin.keys.service_account(tmp_path / "no-project.json", project_id=None)
    server = server_without(cloudprofiler_project_id=None, cloudprofiler_credentials=key)

    check_one_line(server, "warning: .*project.*cloudprofiler-project-id")

    assert standin.requests == []


def test_without_a_project_and_without_credentials(server_without, standin):
    server = server_without(cloudprofiler_project_id=None, cloudprofiler_credentials=None)

    check_one_line(server, "warning: .*project.*cloudprofiler-project-id")

    assert standin.requests == []


def test_a_key_file_that_cannot_be_read_is_named_where_it_would_give_the_project(
    server_without, standin, tmp_path
):
    key = tmp_path / "broken.json"
    key.write_text("garbage{")
    server = server_without(cloudprofiler_project_id=None, cloudprofiler_credentials=key)

    check_one_line(server, "warning: .*no access token: .*broken.json")

    assert standin.requests == []


def test_without_a_network(server_without, standin):
    standin.refuse()
    server = server_without(cloudprofiler_api_endpoint=None)

    check_one_line(server, "no access token: ")


def test_without_a_name_server(server_without, standin, tmp_path):
    key = standin.keys.service_account(
        tmp_path / "far.json", token_uri="https://no-such-host.invalid/token"
    )
    server = server_without(cloudprofiler_credentials=key)

    check_one_line(server, "no access token: .*no-such-host.invalid")

    assert standin.requests == []


def can_hide():
    return os.geteuid() == 0 and (
        subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0
    )


@pytest.mark.skipif(not can_hide(), reason=needs.NAMESPACES)
def test_without_certificates(server_without, standin):
    server = server_without(launcher=HIDES_CERTIFICATES, cloudprofiler_ca_file=None)

    check_one_line(server, "ca-certificates")

    assert standin.requests == []
