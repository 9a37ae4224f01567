"""The stand-in accepts every request that the official agents were seen to send.

SPDX-License-Identifier: MIT
"""

import json
from pathlib import Path

import pytest

from .replay import Replay, parse

RECORDINGS = sorted((Path(__file__).parent / "recordings").glob("*.txt"))
# The stand-in's machine has neither; agents ask and go on without.
NOT_THERE = ("/instance/attributes/cluster-name", "/instance/id")


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_every_recorded_request_is_accepted(standin, path):
    recorded = parse(path)

    replay = Replay(standin)
    answers = replay.run(recorded)
    replay.close()

    assert not standin.problems
    assert len(standin.requests) == len(recorded) > 5
    for one, request, answer in zip(recorded, standin.requests, answers, strict=True):
        assert request.call != "other", one.target
        if request.scripted:
            assert answer.status == 503
        else:
            assert answer.status == (404 if one.target.endswith(NOT_THERE) else 200), one.target


def test_the_recordings_hold_uploads_of_both_agents():
    kinds = set()
    for one in (one for path in RECORDINGS for one in parse(path) if one.is_update):
        profile = json.loads(one.body)
        kinds.add((profile["deployment"]["labels"]["language"], profile["profileType"]))

    assert kinds == {("python", "CPU"), ("python", "WALL"), ("nodejs", "WALL"), ("nodejs", "HEAP")}
