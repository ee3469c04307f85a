"""The worker's clock: many timers at once keep no other step from its turn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from hands import Clock as Time
from hands import accept_many
from router.clock import FIRE_WITHIN, Clock
from router.ledger import Ledger, open_ledger
from router.route import RoutingTable
from router.rules import Ruleset
from router.secret import Secret
from router.timing import Planned
from stepped import SteppedScheduler

if TYPE_CHECKING:
    from pathlib import Path

    from router.event import Event

TIMERS = 1000
NOTHING = Ruleset(hash="h", sources={}, channels={}, rules=(), templates={}, files={})


class _SlowTable(RoutingTable):
    """Each timer that is asked about takes a hundredth of FIRE_WITHIN."""

    def __init__(self, scheduler: SteppedScheduler) -> None:
        super().__init__(NOTHING)
        self._scheduler = scheduler

    def terms(self, event: Event, planned: Planned) -> Any:
        self._scheduler.now += FIRE_WITHIN / 100
        return super().terms(event, planned)


def _waiting(ledger: Ledger) -> int:
    return sum(ledger.pending().values())


def test_timers_that_are_many_are_fired_in_rounds(tmp_path: Path) -> None:
    time, scheduler = Time(), SteppedScheduler()
    ledger = open_ledger(Secret(f"sqlite:///{tmp_path / 'router.db'}"), time)
    force = SimpleNamespace(current=SimpleNamespace(table=_SlowTable(scheduler)))
    nobody = cast("Any", None)
    clock = Clock(nobody, ledger, cast("Any", force), nobody, scheduler.event(), scheduler, time)
    ledger.start()
    try:
        accept_many(ledger, TIMERS, Planned("r", "c", moment=1_100.0))
        time.now = 1_200.0
        rounds: list[tuple[int, float]] = []
        while (left := _waiting(ledger)) and len(rounds) < TIMERS:
            began = scheduler.now
            clock._fire()
            rounds.append((left - _waiting(ledger), scheduler.now - began))
        assert sum(fired for fired, _ in rounds) == TIMERS
        assert len(rounds) >= 3
        assert all(fired and took <= 3 * FIRE_WITHIN for fired, took in rounds)
    finally:
        ledger.close()
