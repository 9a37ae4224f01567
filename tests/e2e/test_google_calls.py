"""Each parameter and each exception of googlecloudprofiler.start(): what the plugin makes of it
where the app is loaded and in workers, threads and children; and who answers the name
(tests/apps/google_calls.py).

SPDX-License-Identifier: MIT
"""

import json
import re
import shutil

import pytest
from standin import BackToBack
from testenv import google_agent
from testenv.cloud import LOCAL_OFF, PROJECT, SERVICE, upload_options
from testenv.google_agent import taken_by

REFUSED = r"ValueError: googlecloudprofiler\.start\(\): "
MISSING = "/nobody/has/this.json"
KEY_TEXT = '{"type": "service_account", "private_key": "not to be shown"}'

# A call's arguments and what comes of it, None where it is accepted.
BAD_CALLS = {
    "a service with capitals": (["Shop"], {}, REFUSED + 'service: "Shop" is not accepted; give 1'),
    "a service that ends with a hyphen": ([], {"service": "shop-"}, REFUSED + "service: "),
    "a service of 256 letters": ([], {"service": "s" * 256}, REFUSED + "service: "),
    "a service of a megabyte": ([], {"service": "LONG:s"}, REFUSED + "service: "),
    "a service with another letter": ([], {"service": "caf\u00e9"}, REFUSED + "service: "),
    "a service with a zero byte": ([], {"service": "a\0b"}, REFUSED + "service has a zero byte"),
    "a service that no text can be": ([], {"service": "SURROGATE:"}, "UnicodeEncodeError"),
    "a number as service": ([7], {}, REFUSED + "service must be str, not int"),
    "bytes as service": (["BYTES:shop"], {}, REFUSED + "service must be str, not bytes"),
    "a version of 513 bytes": (
        ["shop", "v" * 513],
        {},
        REFUSED + "service_version: .* is not accepted; give 1 to 512 bytes",
    ),
    "a version of a megabyte": (["shop", "LONG:v"], {}, REFUSED + "service_version: "),
    "a number as version": (["shop", 1.0], {}, REFUSED + "service_version must be str, not float"),
    "a project that none can be": (
        ["shop", "1", "My Project"],
        {},
        REFUSED + 'project_id: "My Project" is not accepted; give a project\'s id',
    ),
    "a file that is not there": (
        [],
        {"service": "shop", "service_account_json_file": MISSING},
        REFUSED + "service_account_json_file: the value is not accepted; give the path of a file",
    ),
    "a key instead of its file": (
        [],
        {"service": "shop", "service_account_json_file": KEY_TEXT},
        REFUSED + "service_account_json_file: the value is not accepted",
    ),
    "a path of a megabyte": (
        [],
        {"service": "shop", "service_account_json_file": "LONG:/"},
        REFUSED + "service_account_json_file: ",
    ),
    "a path that fails": (
        [],
        {"service": "shop", "service_account_json_file": "HOSTILE:"},
        REFUSED + "service_account_json_file must be str or os.PathLike, not Hostile",
    ),
    "a path that empties the call's dictionary": (
        [],
        {"service": "LONG:s", "service_account_json_file": "EMPTYING:"},
        REFUSED + 'service: "sss',
    ),
    "a verbose below zero": (
        [],
        {"service": "shop", "verbose": -1},
        REFUSED + 'verbose: "-1" is not accepted; give a whole number from 0 to 3',
    ),
    "a text as verbose": ([], {"service": "shop", "verbose": "3"}, REFUSED + "verbose must be int"),
    "both kinds disabled": (
        [],
        {"service": "shop", "disable_cpu_profiling": True, "disable_wall_profiling": 1},
        REFUSED + "CPU and wall profiles are both disabled: leave one kind on",
    ),
    "a truth that fails": (
        [],
        {"service": "shop", "disable_cpu_profiling": "HOSTILE:"},
        "RuntimeError: no truth",
    ),
    "a period of nothing": (
        [],
        {"service": "shop", "period_ms": 0},
        REFUSED + 'period_ms: "0" is not accepted; give a whole number from 1 to 1000 millisec',
    ),
    "a period beyond all": ([], {"service": "shop", "period_ms": 10**40}, REFUSED + "period_ms: "),
    "a fraction as period": (
        [],
        {"service": "shop", "period_ms": 2.5},
        REFUSED + "period_ms must be int, not float",
    ),
    "a number that fails": (
        [],
        {"service": "shop", "period_ms": "HOSTILE:"},
        REFUSED + "period_ms must be int, not Hostile",
    ),
    "an unknown argument": ([], {"service": "shop", "zone": "moon"}, "TypeError: .*zone"),
    "ten arguments": (["shop", *[None] * 9], {}, "TypeError: .*10 given"),
}
# Accepted in this order; the first gives the service.
GOOD_CALLS = {
    "a service, and the highest level": ([], {"service": SERVICE, "verbose": 9}),
    "the same once more": ([], {"service": SERVICE, "verbose": 3}),
    "another service": ([], {"service": "other"}),
    "nothing, where there is a service": ([], {}),
    "nothing by name": ([None, "", None, None, 3, False, None, 10, ""], {}),
    "Google's addresses": (
        [],
        {
            "discovery_service_url": "https://cloudprofiler.googleapis.com/$discovery/rest?version=v2"
        },
    ),
    "an older one": (
        [],
        {"discovery_service_url": "https://www.googleapis.com/discovery/v1/apis/{api}/rest"},
    ),
    "an address that says nothing": (
        [],
        {"discovery_service_url": "http://elsewhere.test/" + "x" * 999},
    ),
}
PLACES = ("loaded", "worker", "thread", "child")


def calls_of(rows):
    return [[row[0], row[1]] for row in rows.values()]


@pytest.fixture(scope="module")
def asked(make_uwsgi_for_module):
    """A server in which everything was called everywhere, and each place's outcomes."""
    calls = [[[], {}], *calls_of(BAD_CALLS), *calls_of(GOOD_CALLS)]
    server = make_uwsgi_for_module(
        app="google_calls", threads=2, env={"GOOGLE_CALLS": json.dumps(calls)}, **LOCAL_OFF
    ).start()
    outcomes = {place: json.loads(server.get(f"/{place}")) for place in PLACES}
    return server, {
        place: (o[0], dict(zip([*BAD_CALLS, *GOOD_CALLS], o[1:], strict=True)))
        for place, o in outcomes.items()
    }


@pytest.mark.parametrize("name", BAD_CALLS)
def test_a_bad_call_is_an_exception_everywhere(name, asked):
    for place in PLACES:
        assert re.match(BAD_CALLS[name][2], asked[1][place][1][name]), place
        assert len(asked[1][place][1][name]) < 600


@pytest.mark.parametrize("name", GOOD_CALLS)
def test_a_good_call_gives_nothing_back(name, asked):
    for place in PLACES:
        assert asked[1][place][1][name] == "None", place


def test_a_service_must_be_known_by_somebody(asked):
    assert re.match(REFUSED + "service: none is given; .*K_SERVICE", asked[1]["loaded"][0])
    # Later there is the one that the app gave.
    assert asked[1]["worker"][0] == asked[1]["child"][0] == "None"


def test_calls_are_logged_once_and_show_no_key(asked):
    server = asked[0]
    differs, address = server.our_warnings

    assert re.search(
        r"google_calls\.py:\d+ asks for cloudprofiler-service = other \(now: shop\)", differs
    )
    assert "discovery_service_url is ignored" in address
    assert "not to be shown" not in server.log
    assert "Respawned" not in server.log


@pytest.fixture
def calling(make_uwsgi):
    """Starts a server whose app makes these calls while it is loaded."""

    def start(*calls, env=None, **options):
        env = {"GOOGLE_CALLS": json.dumps(calls), **(env or {})}
        return make_uwsgi(app="google_calls", env=env, **LOCAL_OFF | options).start()

    return start


def test_each_parameter_is_taken_by_its_position(calling, standin, tmp_path):
    key = standin.keys.service_account(tmp_path / "key.json")
    url = f"{standin.endpoint}/$discovery/rest?version=v2"
    call = ["shop", "v9", PROJECT, f"PATH:{key}", 2, False, True, 20, url]
    given = upload_options(standin, tmp_path)
    standin.release("CPU", "0.5s")

    server = calling(
        [call, {}],
        cloudprofiler_disable_upload=None,
        cloudprofiler_ca_file=given["cloudprofiler_ca_file"],
        cloudprofiler_disable_metadata="true",
    )
    upload = standin.wait_for_uploads(1)[0]

    assert json.loads(server.get("/loaded")) == ["None"]
    assert upload.deployment["target"] == "shop"
    assert upload.deployment["projectId"] == PROJECT
    assert upload.deployment["labels"]["version"] == "v9"
    assert standin.requests_of("create")[0].json["profileType"] == ["CPU"]
    assert taken_by(server)[0] == {
        "service": "shop",
        "service-version": "v9",
        "project-id": PROJECT,
        "credentials": "[...]",
        "verbose": "2",
        "disable-wall-profiling": "true",
        "period-ms": "20",
        "api-endpoint": standin.endpoint,
    }
    assert "a sample each 20 ms" in server.log
    assert str(key) not in server.log
    assert server.our_warnings == []


def test_what_the_configuration_gives_holds(calling, standin, tmp_path):
    other = tmp_path / "other.json"
    other.write_text("{}")
    call = ["other", "v9", "other-project", str(other), 3, True, False, 20]
    given = {
        "cloudprofiler_service_version": "v1",
        "cloudprofiler_verbose": 1,
        "cloudprofiler_disable_cpu_profiling": "false",
        "cloudprofiler_period_ms": 10,
    }
    url = "https://elsewhere.test/$discovery/rest"

    server = calling([[*call, url], {}], **upload_options(standin, tmp_path, **given))
    create = standin.wait_for_requests("create")[0]

    assert json.loads(server.get("/loaded")) == ["None"]
    assert create.json["deployment"]["target"] == SERVICE
    assert create.json["deployment"]["labels"]["version"] == "v1"
    assert create.json["profileType"] == ["CPU", "WALL"]
    assert taken_by(server)[0] == {}
    [warning] = server.our_warnings
    named = re.findall(r"cloudprofiler-([a-z-]+) = ([^ ]+) \(now: ([^)]+)\)", warning)
    assert named == [
        ("service", "other", SERVICE),
        ("service-version", "v9", "v1"),
        ("project-id", "other-project", PROJECT),
        ("credentials", "[...]", "[...]"),
        ("verbose", "3", "1"),
        ("disable-cpu-profiling", "true", "false"),
        ("period-ms", "20", "10"),
        ("api-endpoint", "https://elsewhere.test", standin.endpoint),
    ]


@pytest.mark.parametrize(("first", "service"), [({}, "from-env"), ({"service": "own"}, "own")])
def test_the_environment_comes_after_the_call(first, service, calling):
    server = calling([[], first], [["second"], {}], env={"K_SERVICE": "from-env"})

    assert json.loads(server.get("/loaded")) == ["None", "None"]
    [warning] = server.our_warnings
    assert f"cloudprofiler-service = second (now: {service})" in warning


def test_what_is_cut_is_marked_and_what_is_not_set_is_none(calling, tmp_path):
    key = tmp_path / "key.json"
    key.write_text("{}")

    server = calling(
        [["shop", "v" * 81], {}],
        [["shop", "v" * 80], {"service_account_json_file": str(key)}],
    )

    assert json.loads(server.get("/loaded")) == ["None", "None"]
    [warning] = server.our_warnings
    assert f"cloudprofiler-service-version = {'v' * 80} (now: {'v' * 80}...)" in warning
    assert "cloudprofiler-credentials = [...] (now: none)" in warning


def test_where_nothing_is_uploaded_a_late_service_is_a_difference(calling):
    server = calling([["shop"], {}], lazy_apps="true")
    server.wait_for_log("WSGI app 0 .* ready in", times=2)

    [warning] = server.our_warnings
    assert "asks for cloudprofiler-service = shop (now: none): ignored" in warning


def test_a_kind_that_the_configuration_disables_counts(calling):
    server = calling(
        [["shop"], {"disable_wall_profiling": True}], cloudprofiler_disable_cpu_profiling="true"
    )

    assert re.match(
        REFUSED + "CPU and wall profiles are both disabled", json.loads(server.get("/loaded"))[0]
    )


@pytest.mark.parametrize("lazy", [None, "true"])
@pytest.mark.parametrize(
    "way",
    [{"cloudprofiler_disable": "true"}, {"env": {"CLOUDPROFILER_DISABLE": "1"}}],
    ids=["option", "environment"],
)
def test_a_disabled_plugin_answers_and_does_nothing(way, lazy, calling):
    server = calling([["shop"], {}], [["other"], {}], lazy_apps=lazy, **way)

    assert json.loads(server.get("/loaded")) == ["None", "None"]
    assert server.our_warnings == []
    assert taken_by(server)[0] == {}


# What the app finds under the name: a package of its own, which stands in for Google's.
PACKAGE = """
__version__ = "its own"

def start(**_how):
    raise RuntimeError("the package was started")
"""


@pytest.fixture
def package(tmp_path):
    directory = tmp_path / "site" / "googlecloudprofiler"
    directory.mkdir(parents=True)
    (directory / "__init__.py").write_text(PACKAGE)
    return directory.parent


def test_the_name_is_the_plugin_s_before_a_package(calling, package):
    server = calling([[], {"service": "shop"}], env={"PYTHONPATH": str(package)})

    agent = json.loads(server.get("/agent"))
    assert agent["file"] is None and agent["version"] == "4.1.0"
    assert json.loads(server.get("/loaded")) == ["None"]


def test_the_name_can_be_left_to_the_package(calling, package):
    server = calling(
        [[], {"service": "shop"}],
        env={"PYTHONPATH": str(package)},
        cloudprofiler_google_start="false",
    )

    assert json.loads(server.get("/agent"))["version"] == "its own"
    assert json.loads(server.get("/loaded")) == ["RuntimeError: the package was started"]


@pytest.mark.skipif(not google_agent.packages(), reason=google_agent.MISSING)
@pytest.mark.parametrize("answers", ["the plugin", "the package"])
def test_of_two_agents_one_runs(answers, calling, standin, tmp_path):
    given = upload_options(standin, tmp_path, cloudprofiler_service=None)
    own = answers == "the package"
    key = str(given["cloudprofiler_credentials"])
    url = f"{standin.endpoint}/discovery/v1/apis/cloudprofiler/v2/rest"
    how = {"service_account_json_file": key, "discovery_service_url": url} if own else {}
    standin.pace = BackToBack(["CPU", "WALL"], "0.5s")

    server = calling(
        [["shop", "v9"], how],
        env={
            "PYTHONPATH": str(google_agent.packages()),
            "HTTPLIB2_CA_CERTS": str(standin.ca_file),
            "http_proxy": standin.proxy_url,
            "no_proxy": "localhost",
        },
        processes=1,
        threads=2,
        lazy_apps="true" if own else None,
        cloudprofiler_google_start="false" if own else None,
        **(given if not own else {}),
    )
    agent = json.loads(server.get("/agent"))

    assert json.loads(server.get("/loaded")) == ["None"]
    assert (agent["file"] is not None) == own
    assert agent["handles_alarm"] == own
    assert ("Profiler API polling thread" in agent["threads"]) == own
    if not own:
        standin.wait_for_uploads(2)
        assert len(standin.connections_of("api")) == standin.most_open("api") == 1
    assert server.our_warnings == []


@pytest.mark.parametrize("form", ["before the fork", "lazy-apps"])
def test_an_agent_that_came_another_way_is_reported_once(form, calling, plugin_dir, tmp_path):
    native_part = tmp_path / "vendor" / "googlecloudprofiler" / "_profiler.cpython.so"
    native_part.parent.mkdir(parents=True)
    # Any library that the server can load; what counts is its name.
    shutil.copy(plugin_dir / "cloudprofiler_plugin.so", native_part)

    server = calling(
        env={"GOOGLE_NATIVE_PART": str(native_part)},
        lazy_apps="true" if form == "lazy-apps" else None,
        cloudprofiler_output_dir=tmp_path,
    )
    server.wait_for_log("WSGI app 0 .* ready in", times=2 if form == "lazy-apps" else 1)

    [warning] = server.our_warnings
    assert str(native_part) in warning and "two profilers run" in warning
