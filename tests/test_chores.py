"""The chores: what they learn of the clock with the look at what is due."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import sqlalchemy as sa

from hands import accept_many
from router.chores import Chores
from router.ledger import Ledger, SharedClock, open_ledger
from router.ledger.shared_clock import NOISE
from router.metrics import Metrics
from router.rules import Ruleset
from router.secret import Secret
from router.timing import Planned
from stepped import SteppedScheduler

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400.0
NOTHING = Ruleset(hash="h", sources={}, channels={}, rules=(), templates={}, files={})


@pytest.fixture
def clock() -> SharedClock:
    return SharedClock(time.time, time.monotonic)


@pytest.fixture
def ledger(database_url: str, clock: SharedClock) -> Iterator[Ledger]:
    made = open_ledger(Secret(database_url), clock)
    made.start()
    yield made
    made.close()


@pytest.fixture
def chores(ledger: Ledger, clock: SharedClock) -> Chores:
    force = SimpleNamespace(current=SimpleNamespace(ruleset=NOTHING), retention=DAY)
    return Chores(ledger, cast("Any", force), Metrics(), SteppedScheduler(), clock)


@pytest.mark.parametrize("ahead", [DAY, 10.0, -DAY])
def test_the_look_at_what_is_due_brings_the_time_of_postgresql(
    database_url: str, ledger: Ledger, clock: SharedClock, chores: Chores, ahead: float
) -> None:
    clock.set(time.time() + ahead)
    chores._last += ahead
    chores.note(ledger.due(clock()), 0.01)
    off = ahead if database_url.startswith("sqlite") else 0.0
    assert clock() - time.time() == pytest.approx(off, abs=5.0)


def test_what_was_written_by_a_clock_that_was_ahead_goes_by_the_one_of_the_look(
    database_url: str, ledger: Ledger, clock: SharedClock, chores: Chores
) -> None:
    clock.set(time.time() + DAY)
    chores._last += DAY
    accept_many(ledger, 1, Planned("r", "c"))
    due = ledger.due(clock())
    assert due.channels["c"] > time.time() + DAY / 2
    chores.note(due, 0.01)
    if database_url.startswith("sqlite"):
        assert due.clock is None
        chores.see_clock()
    assert ledger.due(clock()).channels["c"] <= time.time() + 5.0


def test_an_answer_that_took_long_is_not_gone_by(
    ledger: Ledger, clock: SharedClock, chores: Chores
) -> None:
    clock.set(time.time() + DAY)
    chores._last += DAY
    chores.note(ledger.due(clock()), 2 * NOISE)
    assert clock() > time.time() + DAY / 2
    chores.see_clock()
    assert clock() == pytest.approx(time.time(), abs=5.0)


def test_the_clock_is_not_asked_twice(
    database_url: str, ledger: Ledger, clock: SharedClock, chores: Chores
) -> None:
    asked: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    sa.event.listen(ledger._engine.reading, "before_cursor_execute", note)
    chores._scheduler.now += 2.0  # type: ignore[attr-defined]
    chores.note(ledger.due(clock()), 0.01)
    chores.step()
    asked_alone = [one for one in asked if "clock_timestamp" in one and "deliveries" not in one]
    assert asked_alone == []
    assert len(asked) >= 2
