"""The examples, with Flask and Django as the tested Python has them, and with the newest ones.

SPDX-License-Identifier: MIT
"""

import pytest
from testenv import frameworks
from testenv.build import PYTHON, SOURCE
from testenv.uwsgi import QUICK, WITHOUT_PROFILER
from testenv.wait import wait_for

EXAMPLES = SOURCE / "examples"
PATIENCE_S = 60

FLASK = {"app": "flask", "callable": "app"}
DJANGO = {"app": "django"}
# What is asked for, a function that it alone runs, and the tags that its samples must carry.
FLASK_PATHS = {
    "/search?q=red": ("search", {"route": "/search"}),
    "/report": ("sales_report", {"route": "/report"}),
}
DJANGO_PATHS = {
    "/": ("home", {"route": "/", "view": "home"}),
    "/shop/products/7/": (
        "product",
        {"route": "/shop/products/<int:number>/", "view": "shop:product"},
    ),
}
EXAMPLE = {"flask": (FLASK, FLASK_PATHS), "django": (DJANGO, DJANGO_PATHS)}


def options(name, source):
    """For a server that runs the example."""
    if source == "newest":
        choice = {"virtualenv": frameworks.newest()}
    elif not frameworks.is_installed(name):
        pytest.skip(f"needs {name} for {PYTHON}: make deps-test installs Debian's")
    else:
        choice = {}
    directory = EXAMPLES / name
    return {
        **EXAMPLE[name][0],
        **choice,
        "wsgi_file": directory / "app.py",
        "pythonpath": directory,
        "need_app": "true",
    }


@pytest.mark.parametrize("source", ["installed", "newest"])
@pytest.mark.parametrize("name", EXAMPLE)
def test_samples_carry_route_and_view(name, source, make_uwsgi, profile_reader):
    paths = EXAMPLE[name][1]
    server = make_uwsgi(**options(name, source), processes=2, threads=2, **QUICK).start("/health")
    missing = set(paths)

    def are_seen():
        profile = profile_reader.read(server.wait_for_profiles()[-1])
        for path, (function, tags) in paths.items():
            for sample in profile.samples:
                if function in sample.names():
                    assert {key: sample.labels.get(key) for key in tags} == tags, sample
                    missing.discard(path)
        return not missing

    first, second = paths
    with server.some_work(first) as one, server.some_work(second) as other:
        wait_for(are_seen, f"samples of {missing}", PATIENCE_S)

    assert not one.failures + other.failures


@pytest.mark.parametrize("name", EXAMPLE)
def test_without_the_plugin_they_run_all_the_same(name, make_uwsgi):
    server = make_uwsgi(**options(name, "newest"), plugins=WITHOUT_PROFILER).start("/health")

    for path in EXAMPLE[name][1]:
        assert server.get(path)
