"""What the kill tests go by: a response that was given up is not called lost, and hides none that was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.simulator.ledger import Entry
from lcw_assets.transport.call import Call
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.in_flight import Timeouts
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.transport.tuning import Pace, Tuning
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.oracle import Fact, Stored, lost, made_up
from lcw_assets_tests.patience import until
from lcw_assets_tests.transport.test_client import Kept, read_text

Books = tuple[tuple[Entry, ...], list[Stored], list[Fact]]


def first_is_slow(draw: Draw) -> Fault:
    return Fault(delay_s=1.0) if draw.turn == 1 and '"offset": 100' in draw.content else Fault()


def books(start_simulator: StartSimulator, tuning: Tuning, timeouts: Timeouts) -> Books:
    """What a server and its client say of two pages, of which the second took a second at first."""
    simulator, address = start_simulator(profile=first_is_slow)
    sink = Kept()
    retry = RetryPolicy(attempts=99, first_s=0.01, longest_s=0.1)
    client = Client(address, source="test", sink=sink, tuning=tuning, timeouts=timeouts, retry=retry)
    with closing(client):
        for offset in (0, 100):
            request: dict[str, Any] = {"offset": offset, "limit": 10}
            client.call(Call("POST", "coins/list", request, Deadline.after(600), read_text))
        until(lambda: len(simulator.ledger.entries) == len(sink.attempts))
    stored: list[Stored] = [(response.endpoint, response.request, response.text) for response in sink.responses]
    facts: list[Fact] = [(attempt.endpoint, attempt.request, attempt.outcome) for attempt in sink.attempts]
    return simulator.ledger.entries, stored, facts


@pytest.fixture(params=["a hedge", "a time-out"])
def overtaken(request: pytest.FixtureRequest, start_simulator: StartSimulator) -> Iterator[Books]:
    """The slow response is given up for another one, and served all the same."""
    if request.param == "a hedge":
        yield books(start_simulator, Tuning(hedges=9, pace=Pace(hedge_after_s=0.2, attempt_s=60.0)), Timeouts())
    else:
        yield books(start_simulator, Tuning(pace=Pace(attempt_s=0.5)), Timeouts(60.0, 60.0, 60.0))


def test_a_response_that_was_given_up_is_not_lost(overtaken: Books) -> None:
    served, stored, facts = overtaken
    assert len([entry for entry in served if entry.good]) > len(stored) == 2
    assert lost(served, stored, facts) == []
    assert made_up(served, stored) == []


def test_a_response_that_was_lost_is_named_also_where_another_was_given_up(overtaken: Books) -> None:
    served, stored, facts = overtaken
    for number in range(2):
        rest = [*stored[:number], *stored[number + 1 :]]
        assert lost(served, rest, facts) == [f'coins/list {{"limit": 10, "offset": {100 * number}}}']


def test_a_response_that_nobody_gave_is_named(overtaken: Books) -> None:
    served, [first, second], _ = overtaken
    assert made_up(served, [first, (*second[:2], second[2].replace("1", "2"))]) == [
        'coins/list {"limit": 10, "offset": 100}'
    ]
    so_often = len([entry for entry in served if json.loads(entry.request)["offset"] == 0])
    assert made_up(served, [*[first] * so_often, second]) == []
    assert made_up(served, [*[first] * so_often, first, second]) == ['coins/list {"limit": 10, "offset": 0}']
