"""Backtests in the ledger: one for each person, whoever runs them, and not for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.ledger import Ledger, open_ledger
from router.ledger.backtests import KEPT, QUIET
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A clock that stands until it is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(database_url: str, clock: Clock) -> Iterator[Ledger]:
    made = open_ledger(Secret(database_url), clock)
    yield made
    made.close()


def state(ledger: Ledger, who: str = "eve") -> str | None:
    found = ledger.backtests.find(who)
    return None if found is None else found.state


def test_it_is_noted_until_its_end(ledger: Ledger) -> None:
    runs = ledger.backtests
    runs.begin("eve", "a", 10.0)
    assert state(ledger) == "running"
    assert runs.note("eve", "a", 5, 9)
    found = runs.find("eve")
    assert found is not None
    assert (found.done, found.total, found.since) == (5, 9, 10.0)
    runs.end("eve", "a", "done", "{}")
    assert state(ledger) == "done"
    assert not runs.note("eve", "a", 6, 9)
    assert state(ledger, "adam") is None


def test_a_second_one_ends_the_first(ledger: Ledger) -> None:
    runs = ledger.backtests
    runs.begin("eve", "a", 10.0)
    runs.begin("eve", "b", 10.0)
    assert not runs.note("eve", "a", 1, 9)
    runs.end("eve", "a", "done", "the first")
    assert state(ledger) == "running"
    assert runs.note("eve", "b", 1, 9)


def test_a_cancelled_one_is_not_wanted_any_more(ledger: Ledger) -> None:
    runs = ledger.backtests
    runs.begin("eve", "a", 10.0)
    runs.cancel("eve")
    assert not runs.note("eve", "a", 1, 9)
    assert state(ledger) == "cancelled"


def test_one_whose_process_says_nothing_is_lost_and_all_are_forgotten(
    ledger: Ledger, clock: Clock
) -> None:
    runs = ledger.backtests
    runs.begin("eve", "a", 10.0)
    clock.now += QUIET + 1
    assert state(ledger) == "lost"
    clock.now += KEPT
    assert state(ledger) is None
    ledger.upkeep.forget()
    clock.now -= KEPT
    assert state(ledger) is None, "it is not only hidden"
