"""Each kind of credentials on a real server, the metadata server, a key that is rotated, a proxy.

SPDX-License-Identifier: MIT
"""

import shutil

import pytest
from standin import BackToBack, hang
from standin.tokens import SCOPES, WRITE_SCOPE
from testenv.cloud import LOCAL_OFF, upload_options
from testenv.wait import wait_for

EXTERNAL = [
    (
        f"external-{source}-{field or 'text'}{'-impersonated' * impersonate}",
        source,
        field,
        impersonate,
    )
    for source in ("file", "url")
    for field in (None, "access_token")
    for impersonate in (False, True)
]
KEY = "credentials.json"
# Gcloud's logins have the scope that they were made with.
USER_SCOPE = SCOPES + "cloud-platform"


def external(source, field, impersonate):
    """A function that writes such a file."""

    def write(keys, directory):
        subject = directory / "subject" if source == "file" else None
        return keys.external_account(
            directory / KEY, subject_file=subject, json_field=field, impersonate=impersonate
        )

    return write


def impersonated(source):
    return lambda keys, directory: keys.impersonated_service_account(directory / KEY, source=source)


# How the file is written, and the calls that a token takes.
KINDS = {
    "service_account": (lambda keys, d: keys.service_account(d / KEY), ["token"]),
    "authorized_user": (lambda keys, d: keys.authorized_user(d / KEY), ["token"]),
    "impersonated-user": (impersonated("authorized_user"), ["token", "impersonation"]),
    "impersonated-account": (impersonated("service_account"), ["token", "impersonation"]),
} | {
    name: (
        external(source, field, impersonate),
        ["subject_token"] * (source == "url") + ["sts"] + ["impersonation"] * impersonate,
    )
    for name, source, field, impersonate in EXTERNAL
}

# What this machine's own environment must not decide.
NO_KEY = {"GOOGLE_APPLICATION_CREDENTIALS": "", "GOOGLE_CLOUD_PROJECT": "", "GCLOUD_PROJECT": ""}


@pytest.fixture
def cloud(uwsgi, standin, tmp_path):
    """Starts a server that uploads to the stand-in, and to it alone."""

    def start(env=None, **options):
        clean = {**NO_KEY, "CLOUDSDK_CONFIG": str(tmp_path)}
        options = upload_options(standin, tmp_path, **LOCAL_OFF) | options
        return uwsgi(env={**clean, **(env or {})}, **options)

    return start


@pytest.fixture
def machine(cloud, standin):
    """Starts a server on a machine of Google Cloud, which says itself what there is to know."""

    def start(**options):
        options = {
            "cloudprofiler_credentials": None,
            "cloudprofiler_disable_metadata": None,
            "cloudprofiler_project_id": None,
        } | options
        return cloud(env={"GCE_METADATA_HOST": standin.metadata_host}, **options)

    return start


def upload_of(server, standin, more=1):
    """An upload beyond those that are there."""
    goal = len(standin.uploads) + more
    standin.release("CPU", "0.5s")
    with server.some_work():
        return standin.wait_for_uploads(goal)[-1]


def bearer(request):
    return request.headers["authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_credentials_gets_profiles_taken(cloud, standin, tmp_path, kind):
    write, calls = KINDS[kind]
    server = cloud(cloudprofiler_credentials=write(standin.keys, tmp_path))

    upload = upload_of(server, standin)

    scope = USER_SCOPE if kind == "authorized_user" else WRITE_SCOPE
    assert standin.tokens.scopes_of(bearer(upload.request)) == {scope}
    profiling = ("create", "update")
    assert [one.call for one in standin.requests if one.call not in profiling] == calls
    assert server.our_warnings == []
    assert standin.problems == []


def test_a_machine_of_google_cloud_says_all_itself(machine, standin):
    standin.metadata.project_id = "project-of-the-machine"
    server = machine()

    upload = upload_of(server, standin)

    assert upload.deployment["projectId"] == "project-of-the-machine"
    assert upload.deployment["labels"] == {"language": "python", "zone": "us-central1-a"}
    assert upload.labels == {"instance": "lab-vm-1"}
    assert standin.connections_of("auth") == []
    assert server.our_warnings == []
    assert standin.problems == []


def test_what_the_operator_says_goes_before_the_machine(machine, standin):
    server = machine(
        cloudprofiler_project_id="project-of-mine",
        cloudprofiler_zone="moon-1",
        cloudprofiler_instance="mine",
    )

    upload = upload_of(server, standin)

    assert upload.deployment["projectId"] == "project-of-mine"
    assert upload.deployment["labels"]["zone"] == "moon-1"
    assert upload.labels == {"instance": "mine"}


def test_a_machine_that_does_not_know_its_zone_sends_none(machine, standin):
    standin.metadata.zone = standin.metadata.name = None
    server = machine(cloudprofiler_instance="mine")

    upload = upload_of(server, standin)

    assert upload.deployment["labels"] == {"language": "python"}
    assert server.our_warnings == []


def test_the_metadata_server_can_be_left_alone(cloud, standin):
    # The option is set by default in these tests.
    server = cloud(env={"GCE_METADATA_HOST": standin.metadata_host})

    upload = upload_of(server, standin)

    assert standin.connections_of("metadata") == []
    assert upload.deployment["labels"] == {"language": "python"}


@pytest.mark.parametrize("answer", ["refused", "none"])
def test_outside_google_cloud_one_look_is_made_in_silence(cloud, standin, answer):
    if answer == "refused":
        standin.refuse("metadata")
    else:
        standin.always("metadata", hang())
    server = cloud(
        env={"GCE_METADATA_HOST": standin.metadata_host}, cloudprofiler_disable_metadata=None
    )

    upload_of(server, standin)
    standin.unscript()
    upload_of(server, standin)

    assert len(standin.requests_of("metadata")) == (0 if answer == "refused" else 1)
    assert server.our_warnings == []


def test_a_key_that_is_rotated_is_used_at_the_next_token(cloud, standin, tmp_path):
    server = cloud()
    first = upload_of(server, standin)
    assert "-sa-" in bearer(first.request)

    standin.keys.authorized_user(tmp_path / "new.json").rename(tmp_path / "key.json")
    standin.expire_tokens()
    standin.release("CPU", "0.5s")
    with server.some_work():
        wait_for(lambda: len(standin.uploads) == 2, "an upload with the new key")

    assert "-user-" in bearer(standin.uploads[1].request)
    assert server.our_warnings == []


def mount_secret(volume, version, files):
    """A version of a secret as Kubernetes lays it out: FILE -> ..data/FILE, ..data -> ..VERSION.
    The one before it goes."""
    own = volume / f"..{version}"
    own.mkdir(parents=True)
    for file in files:
        shutil.copy(file, own / file.name)
    data = volume / "..data"
    before = volume / data.readlink() if data.is_symlink() else None
    (volume / "..data_tmp").symlink_to(own.name)
    (volume / "..data_tmp").rename(data)
    for file in files:
        if not (volume / file.name).is_symlink():
            (volume / file.name).symlink_to(f"..data/{file.name}")
    if before:
        shutil.rmtree(before)


def test_key_and_certificates_of_a_secret_that_is_rotated_are_found_again(cloud, standin, tmp_path):
    volume, ca_file = tmp_path / "volume", tmp_path / "ca.pem"
    shutil.copy(standin.ca_file, ca_file)
    mount_secret(volume, "2026_01", [standin.keys.service_account(tmp_path / KEY), ca_file])
    server = cloud(
        cloudprofiler_credentials=volume / KEY, cloudprofiler_ca_file=volume / ca_file.name
    )
    upload_of(server, standin)

    mount_secret(volume, "2026_02", [standin.keys.authorized_user(tmp_path / KEY), ca_file])
    standin.expire_tokens()
    standin.drop_connections()
    standin.release("CPU", "0.5s")
    with server.some_work():
        wait_for(lambda: len(standin.uploads) == 2, "an upload with the new key")

    assert "-user-" in bearer(standin.uploads[1].request)


def test_a_key_that_does_not_work_is_replaced_under_the_running_server(cloud, standin, tmp_path):
    gone = standin.keys.service_account(tmp_path / KEY, client_email="gone@lab.example")
    server = cloud(cloudprofiler_credentials=gone)
    server.wait_for_log("no access token: ")
    assert len(server.our_warnings) == 1

    standin.keys.service_account(tmp_path / "new.json").rename(gone)
    standin.release("CPU", "0.5s")
    with server.some_work():
        wait_for(lambda: standin.uploads, "an upload with the new key")
    server.wait_for_log("Cloud Profiler takes profiles")


# Proxies


def tunnels(standin):
    return {request.path for request in standin.requests_of("connect")}


def port_of(url):
    return url.rpartition(":")[2]


def test_a_proxy_leads_to_the_real_names(cloud, standin):
    standin.pace = BackToBack(["CPU"], "0.5s")
    server = cloud(
        env={"HTTPS_PROXY": standin.proxy_url, "NO_PROXY": ""},
        cloudprofiler_api_endpoint=None,
    )

    with server.some_work():
        standin.wait_for_uploads(3)

    token_server = f"localhost:{port_of(standin.auth_url)}"
    assert tunnels(standin) == {"cloudprofiler.googleapis.com:443", token_server}
    assert len(standin.requests_of("connect")) == 2
    assert standin.most_open("api") == 1
    assert server.our_warnings == []


def test_no_proxy_names_who_is_asked_directly(cloud, standin):
    server = cloud(env={"HTTPS_PROXY": standin.proxy_url, "NO_PROXY": "localhost"})

    upload_of(server, standin)

    assert tunnels(standin) == set()


def test_a_proxy_that_is_not_there_is_named_without_its_password(cloud, standin):
    standin.refuse("metadata")
    proxy = standin.proxy_url.replace("//", "//user:pass-of-the-proxy@")
    server = cloud(env={"HTTPS_PROXY": proxy, "NO_PROXY": ""}, cloudprofiler_verbose=3)

    server.wait_for_log("no access token: ")
    assert len(server.our_warnings) == 1
    standin.listen("metadata")
    upload_of(server, standin)

    assert "pass-of-the-proxy" not in server.log
