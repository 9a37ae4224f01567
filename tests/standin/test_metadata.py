"""The metadata server of the stand-in.

SPDX-License-Identifier: MIT
"""

import pytest

from . import metadata
from .client import PROFILES, Client, create_document

ROOT = metadata.ROOT
ACCOUNT = f"{ROOT}/instance/service-accounts/default"


@pytest.fixture
def plain(standin):
    client = Client(standin, f"http://{standin.metadata_host}")
    yield client
    client.close()


def get(client, path, flavor="Google"):
    return client.get(path, **({"metadata_flavor": flavor} if flavor else {}))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/project/project-id", "lab-project"),
        ("/instance/zone", "projects/123456789/zones/us-central1-a"),
        ("/instance/name", "lab-vm-1"),
        ("/instance/service-accounts/default/email", metadata.EMAIL),
    ],
)
def test_a_value_is_given_as_text(plain, path, text):
    answer = get(plain, ROOT + path)

    assert (answer.status, answer.body.decode()) == (200, text)
    assert answer.headers["metadata-flavor"] == "Google"


@pytest.mark.parametrize("name", ["default", metadata.EMAIL])
def test_the_account_is_described(plain, name):
    answer = get(plain, f"{ROOT}/instance/service-accounts/{name}/?recursive=true")

    assert answer.json["email"] == metadata.EMAIL


def test_a_token_is_given_that_the_api_takes(standin, plain):
    token = get(plain, f"{ACCOUNT}/token").json["access_token"]
    standin.release()
    api = Client(standin)

    header = {"authorization": f"Bearer {token}"}
    assert api.call("POST", PROFILES, create_document(), headers=header).status == 200
    api.close()


def test_the_address_alone_answers_a_ping(plain):
    assert get(plain, "/").status == 200


@pytest.mark.parametrize("field", ["project_id", "zone", "name", "email"])
def test_what_the_machine_lacks_is_not_found(standin, plain, field):
    paths = {
        "project_id": f"{ROOT}/project/project-id",
        "zone": f"{ROOT}/instance/zone",
        "name": f"{ROOT}/instance/name",
        "email": f"{ACCOUNT}/token",
    }
    setattr(standin.metadata, field, None)

    assert get(plain, paths[field]).status == 404


def test_a_request_without_the_flavor_is_refused(standin, plain):
    assert get(plain, f"{ROOT}/instance/zone", flavor=None).status == 403
    assert standin.problems


def test_a_request_that_was_passed_on_is_refused(plain):
    headers = {"metadata_flavor": "Google", "x_forwarded_for": "10.0.0.1"}

    assert plain.get(f"{ROOT}/instance/zone", **headers).status == 403


def test_another_server_says_no_flavor(standin, plain):
    standin.metadata.says_flavor = False

    assert "metadata-flavor" not in get(plain, f"{ROOT}/instance/zone").headers
