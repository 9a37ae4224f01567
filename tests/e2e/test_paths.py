"""The path that was configured is what is opened each time: links in it may lead elsewhere later.

SPDX-License-Identifier: MIT
"""

import os
import shutil
import signal
from pathlib import Path

import pytest
from testenv.build import GATEWAY, PLUGIN
from testenv.processes import is_alive
from testenv.profiles import profile_files
from testenv.uwsgi import QUICK
from testenv.wait import wait_for


def make_release(root, number, plugin_dir):
    """A directory as a deployment makes it: the app's, with profiler and profiles inside."""
    release = root / "releases" / str(number)
    (release / "profiles").mkdir(parents=True)
    for name in (PLUGIN, GATEWAY):
        shutil.copy2(plugin_dir / name, release)
    return release


def switch(root, number):
    (root / "next").symlink_to(f"releases/{number}")
    (root / "next").rename(root / "current")


@pytest.fixture
def deployed(workspace, plugin_dir):
    """The folder of an app that is deployed by a link, current -> releases/1."""
    root = workspace / f"deployed-{len(list(workspace.iterdir()))}"
    make_release(root, 1, plugin_dir)
    switch(root, 1)
    return root


def deploy_again(root, plugin_dir):
    release = make_release(root, 2, plugin_dir)
    switch(root, 2)
    old = root / "releases" / "1"

    def is_removed():
        # The gateway may be in the middle of a file there.
        shutil.rmtree(old, ignore_errors=True)
        return not old.exists()

    wait_for(is_removed, "the end of the old release")
    return release


def program_of(pid):
    return Path(f"/proc/{pid}/exe").readlink()


# The folder with the link in it as people name it: in full, or by the working directory.
NAMED = {
    "absolute": lambda root: {"cloudprofiler_output_dir": root / "current" / "profiles"},
    "relative": lambda root: {"chdir": root / "current", "cloudprofiler_output_dir": "profiles"},
}


@pytest.mark.parametrize("form", NAMED)
def test_profiles_and_gateway_are_found_where_the_link_leads_now(uwsgi, deployed, plugin_dir, form):
    server = uwsgi(plugin_dir=deployed / "current", **{**QUICK, **NAMED[form](deployed)})
    wait_for(lambda: profile_files(deployed / "current" / "profiles"), "a first profile")

    release = deploy_again(deployed, plugin_dir)
    wait_for(lambda: profile_files(release / "profiles"), "a profile in the new release")

    gateway = server.gateway()
    os.kill(gateway, signal.SIGKILL)
    wait_for(lambda: not is_alive(gateway), "the end of the gateway")
    assert program_of(server.gateway()) == release / GATEWAY
    before = len(profile_files(release / "profiles"))
    wait_for(lambda: len(profile_files(release / "profiles")) > before, "a profile by the new one")


def test_the_gateway_is_found_beside_the_file_that_the_plugin_is_a_link_to(
    uwsgi, workspace, plugin_dir
):
    folder = workspace / "links"
    folder.mkdir()
    (folder / PLUGIN).symlink_to(plugin_dir / PLUGIN)

    server = uwsgi(plugin_dir=folder, **QUICK)

    server.wait_for_first_profile()
    assert program_of(server.gateway()) == plugin_dir / GATEWAY


def test_the_start_leaves_nothing_in_the_directory_that_it_tries(uwsgi):
    server = uwsgi(cloudprofiler_output_interval=3600, cloudprofiler_output_duration=600)

    # The gateway, which starts beside, holds its place by a lock.
    left = {path.name for path in server.profiles.iterdir()}
    assert {name for name in left if not name.endswith(".lock")} == set()
