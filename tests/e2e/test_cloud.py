"""Profiles go to Cloud Profiler: what is sent, over how many connections, and what happens to it
when the server is reloaded, killed or stopped.

SPDX-License-Identifier: MIT
"""

import os
import signal
import socket
from pathlib import Path

import pytest
from standin import BackToBack
from testenv import processes
from testenv.cloud import LOCAL_OFF, PROJECT, SERVICE, upload_options
from testenv.wait import wait_for

WORKERS = 4


def holds_connection(pid, port):
    """Does one of the process's descriptors lead to this port of the loopback interface?"""
    table = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in table]
    inodes = {row[9] for row in rows if row[2].endswith(f":{port:04X}")}
    files = processes.open_files(pid)
    return any(f"socket:[{inode}]" in files for inode in inodes)


@pytest.fixture
def cloud(uwsgi, standin, tmp_path):
    """Starts a server that uploads to the stand-in, and to it alone."""

    def start(**options):
        return uwsgi(**upload_options(standin, tmp_path, **LOCAL_OFF) | options)

    return start


def test_profiles_of_all_workers_arrive_over_one_connection(
    cloud, standin, tmp_path, profile_reader, pprof
):
    standin.pace = BackToBack(["CPU", "WALL"], "1s")
    server = cloud(processes=WORKERS)

    with server.load("/burn?ms=10", threads=WORKERS, rest_s=0.05):
        uploads = standin.wait_for_uploads(4)

    assert [upload.kind for upload in uploads[:4]] == ["CPU", "WALL", "CPU", "WALL"]
    for upload in uploads[:4]:
        profile = profile_reader.read(upload.save(tmp_path))
        assert profile.label_values("worker") == {str(n) for n in range(1, WORKERS + 1)}
        assert "burn" in profile.functions()
        assert "burn" in pprof.run("-top", upload.save(tmp_path))
    assert standin.most_open("api") == 1
    assert len(standin.connections_of("api")) == 1
    assert standin.problems == []
    assert server.our_warnings == []


def test_the_deployment_has_the_labels_of_the_api(cloud, standin):
    server = cloud(
        cloudprofiler_service_version="v1.2",
        cloudprofiler_zone="us-central1-a",
        cloudprofiler_instance="shop-7",
    )
    standin.release("CPU", "0.5s", extra={"unknownField": "kept", "labels": {"theirs": "kept"}})

    with server.some_work():
        upload = standin.wait_for_uploads(1)[0]

    assert upload.deployment == {
        "projectId": PROJECT,
        "target": SERVICE,
        "labels": {"language": "python", "version": "v1.2", "zone": "us-central1-a"},
    }
    assert upload.labels == {"theirs": "kept", "instance": "shop-7"}
    assert upload.request.json["unknownField"] == "kept"
    create, update = standin.requests_of("create")[0], upload.request
    for request in (create, update):
        assert request.headers["user-agent"].startswith("uwsgi-cloudprofiler/")
        assert request.headers["x-goog-api-format-version"] == "2"
        assert request.headers["content-type"] == "application/json"
    assert create.json["profileType"] == ["CPU", "WALL"]


def test_the_host_name_is_the_instance_where_nothing_else_is_known(cloud, standin):
    server = cloud()
    standin.release("WALL", "0.5s")

    with server.some_work():
        upload = standin.wait_for_uploads(1)[0]

    assert upload.labels == {"instance": socket.gethostname()}
    assert "zone" not in upload.deployment["labels"]


@pytest.mark.parametrize(("off", "kept"), [("cpu", ["WALL"]), ("wall", ["CPU"])])
def test_a_kind_that_is_off_is_not_offered(cloud, standin, off, kept):
    cloud(**{f"cloudprofiler_disable_{off}_profiling": "true"})

    create = standin.wait_for_requests("create")[0]

    assert create.json["profileType"] == kept


def test_local_files_are_written_beside_the_uploads(uwsgi, standin, tmp_path, profile_reader):
    standin.pace = BackToBack(["CPU", "WALL"], "1.500s")
    server = uwsgi(**upload_options(standin, tmp_path))

    with server.some_work():
        server.wait_for_profiles(4)
        uploads = standin.wait_for_uploads(3)

    for upload in uploads:
        assert "burn" in profile_reader.read(upload.save(tmp_path)).functions()
        assert upload.message.duration_nanos == pytest.approx(1.5e9, rel=0.1)
    assert server.our_warnings == []


def test_a_killed_gateway_s_session_is_sent_by_the_next(cloud, standin, tmp_path, profile_reader):
    server = cloud()
    standin.release("CPU", "4s")
    with server.some_work():
        server.wait_for_window()
        os.kill(server.gateway(), signal.SIGKILL)
        upload = standin.wait_for_uploads(1)[0]

    assert "burn" in profile_reader.read(upload.save(tmp_path)).functions()
    assert len(standin.uploads) == 1
    assert standin.problems == []


def test_a_reload_in_a_session_sends_what_was_sampled(cloud, standin, tmp_path, profile_reader):
    server = cloud()
    standin.release("CPU", "60s")
    old = server.wait_for_workers(2)
    with server.some_work() as load:
        server.wait_for_window()
        load.wait_for_requests(20)
        server.reload_by_signal()
        server.wait_for_new_workers(old)
        upload = standin.wait_for_uploads(1)[0]

    assert "burn" in profile_reader.read(upload.save(tmp_path)).functions()
    assert standin.problems == []


def test_a_stop_waits_for_no_call(cloud, standin):
    server = cloud()
    standin.wait_for_hanging(1)

    server.stop()

    wait_for(lambda: standin.requests_of("create")[-1].abandoned, "the end of the create call")


def test_only_the_gateway_has_a_connection(cloud, standin):
    server = cloud()
    standin.wait_for_hanging(1)
    port = int(standin.endpoint.rsplit(":", 1)[1])

    pids = [server.master_pid, *server.workers().values(), server.gateway()]

    assert [pid for pid in pids if holds_connection(pid, port)] == [server.gateway()]
