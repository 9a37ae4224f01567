"""Profiles in directories whose file system lacks what a local one has.

SPDX-License-Identifier: MIT
"""

import os
import signal

import pytest
from testenv.endpoint import Endpoint, token_in
from testenv.mounts import COMMANDS, fuse_mount
from testenv.profiles import profile_files
from testenv.uwsgi import QUICK
from testenv.wait import wait_for

KEEP = 2
CHECK_FILE = ".cloudprofiler-check.tmp"
SECONDS = 60


def times_of(paths):
    return {path.name.split("-")[1] for path in paths}


@pytest.mark.parametrize("kind", sorted(COMMANDS))
def test_profiles_are_written_and_old_ones_are_removed_on_a_fuse_file_system(
    kind, make_uwsgi, profile_reader
):
    server = make_uwsgi(app="stuck", cloudprofiler_output_keep=KEEP, **QUICK)
    source = server.directory / "source"
    source.mkdir()
    seen = set()

    def enough_seen():
        seen.update(times_of(profile_files(server.profiles)))
        return len(seen) > 2 * KEEP

    with fuse_mount(kind, source, server.profiles):
        server.start()
        wait_for(enough_seen, f"{2 * KEEP + 1} profiles", SECONDS)
        wait_for(lambda: len(profile_files(server.profiles)) == KEEP, "old ones removed", SECONDS)
        server.stop()
        for path in profile_files(server.profiles):
            profile_reader.read(path)

    # The newest stay. What the start tried the directory with is gone; uWSGI kills the gateway at
    # its end, which may leave the temporary of a profile until the next start.
    assert max(times_of(profile_files(source))) >= max(seen)
    assert not (source / CHECK_FILE).exists()
    assert not server.our_warnings


@pytest.mark.parametrize("kind", sorted(COMMANDS))
def test_a_slow_request_is_a_file_on_a_fuse_file_system(kind, make_uwsgi, profile_reader):
    server = make_uwsgi(app="stuck", processes=1, cloudprofiler_slow_request=1)
    source = server.directory / "source"
    source.mkdir()

    with fuse_mount(kind, source, server.profiles):
        server.start()
        server.get("/nap/2.5")
        (path,) = wait_for(lambda: list(source.glob("slow-*-worker1.pb.gz")), "the file", SECONDS)
        server.stop()

    assert profile_reader.read(path).share("nap") > 0.9
    assert not server.our_warnings


def test_a_token_is_not_left_where_the_file_system_lets_everybody_read_it(make_uwsgi):
    server = make_uwsgi(cloudprofiler_http="127.0.0.1:0")
    source = server.directory / "source"
    source.mkdir()

    with fuse_mount("rclone", source, server.profiles):
        server.start()
        endpoint = Endpoint(server)
        endpoint.token = token_in(endpoint.query)
        assert endpoint.ask("/status").status == 200
        (line,) = wait_for(lambda: server.our_warnings, "the line")
        assert "the token is not kept in" in line and "others could read it" in line
        os.kill(server.gateway(), signal.SIGKILL)
        assert token_in(Endpoint(server, times=2).query) != endpoint.token
        server.stop()

    assert [file.read_bytes() for file in source.glob("*token*")] == [b""]
