"""How the stand-in chooses when and what to ask for; its queue.

SPDX-License-Identifier: MIT
"""

import contextlib

from . import BackToBack, EachSeconds
from .api import QUEUE_MAX
from .client import Client
from .pace import Hold


def test_hold_offers_nothing():
    assert Hold().offer("shop", ["CPU"], 0.0) is None


def test_back_to_back_offers_what_is_asked_for_in_turn():
    pace = BackToBack(duration="2s")
    asked = ["CPU", "WALL"]

    offers = [pace.offer("shop", asked, 0.0) for _ in range(3)]

    assert offers == [("CPU", "2s"), ("WALL", "2s"), ("CPU", "2s")]
    assert BackToBack(kinds=("WALL",)).offer("shop", asked, 0.0) == ("WALL", "1s")
    assert BackToBack(kinds=("HEAP",)).offer("shop", asked, 0.0) is None


def test_each_seconds_offers_each_kind_of_a_deployment_once():
    pace = EachSeconds(60.0)
    asked = ["CPU", "WALL"]

    at_once = [pace.offer("shop", asked, 10.0) for _ in range(3)]

    assert at_once == [("CPU", "10s"), ("WALL", "10s"), None]
    assert pace.offer("till", asked, 10.0) == ("CPU", "10s")
    assert pace.offer("shop", asked, 69.9) is None
    assert pace.offer("shop", asked, 70.0) == ("CPU", "10s")


def test_a_pace_answers_calls_without_a_release(standin):
    standin.pace = BackToBack()
    client = Client(standin)

    kinds = [client.create().json["profileType"] for _ in range(4)]

    assert kinds == ["CPU", "WALL", "CPU", "WALL"]
    client.close()


def test_a_release_waits_for_a_call_that_asked_for_its_kind(standin):
    standin.release("WALL", opaque="the-wall")
    with contextlib.closing(Client(standin)) as only_cpu:
        only_cpu.send_create(profileType=["CPU"])
        standin.wait_for_hanging()
        with contextlib.closing(Client(standin)) as both:
            assert both.create().json["name"].endswith("/the-wall")
        assert standin.hanging == 1

        standin.release("HEAP", forced=True)

        assert only_cpu.read().json["profileType"] == "HEAP"


def test_a_full_queue_sends_clients_away_for_longer_each_time(standin):
    with contextlib.ExitStack() as ends:
        for _ in range(QUEUE_MAX):
            ends.enter_context(contextlib.closing(Client(standin))).send_create()
        standin.wait_for_hanging(QUEUE_MAX)
        client = ends.enter_context(contextlib.closing(Client(standin)))

        answers = [client.create() for _ in range(2)]

        assert [one.status for one in answers] == [409, 409]
        delays = [one.error["details"][0]["retryDelay"] for one in answers]
        assert delays == ["1980s", "2040s"]
        assert answers[0].error["message"].endswith("backoff for 33m0s")
        standin.release()
        client.send_create()
        standin.wait_for_requests("create", QUEUE_MAX + 3)
