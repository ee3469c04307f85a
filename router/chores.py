"""Chores: what a process looks after between two claims.

Dead processes' work, channels that rest too long, mutes that end, what is watched, old history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.access import IDLE, LONGEST
from router.log import get_logger
from router.watch import Watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.in_force import Rules
    from router.ledger import Ledger
    from router.metrics import Metrics

LOOK = 1.0
RARE = 60.0
BACK = 1.0
"""Seconds that a clock has to be set back for what was due to be looked after."""
PAUSE = 0.2
"""Seconds between two steps of purging: accepts come first."""

_log = get_logger()


class Chores:
    """The housekeeping of one process. Called by the worker's clock."""

    def __init__(
        self, ledger: Ledger, rules: Rules, metrics: Metrics, now: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._rules = rules
        self._metrics = metrics
        self.watch = Watching(ledger, rules, now)
        self._last = 0.0
        self._looked = 0.0
        self._swept = 0.0
        self._purged = 0.0
        self._after = 0

    def step(self, now: float) -> None:
        """Do what it is time for; raises LedgerUnavailable when the database does not answer."""
        was, self._last = self._last, now
        if now < was - BACK:
            _log.warning("clock_set_back", seconds=round(was - now, 3))
            self._ledger.set_back(was)
        if not 0 <= now - self._looked < LOOK:
            self._looked = now
            self._take_over()
            self._expire(now)
            self.watch.step(now)
        if not 0 <= now - self._swept < RARE:
            self._swept = now
            self._ledger.forget()
            self._ledger.people.forget(
                begun_before=now - LONGEST,
                idle_before=now - IDLE,
                deeds_before=now - self._rules.retention,
            )
        pause = PAUSE if self._after else min(RARE, self._rules.retention)
        if not 0 <= now - self._purged < pause:
            self._purged = now
            self._purge(now)

    def _take_over(self) -> None:
        released = self._ledger.take_over()
        if released:
            _log.warning("taken_over", deliveries=released)

    def _expire(self, now: float) -> None:
        """Give up what could not be tried in time because its channel rests."""
        channels = self._rules.current.ruleset.channels
        limits = {
            name: (channels[name].retry.budget, channels[name].fallback)
            for name, lane in self._ledger.lanes().items()
            if name in channels and lane.failing_since is not None and lane.pause is None
            if now - lane.failing_since > channels[name].retry.budget
        }
        if limits:
            self._ledger.expire(limits)

    def _purge(self, now: float) -> None:
        purged = self._ledger.purge(now - self._rules.retention, self._after)
        self._after = purged.looked
        if purged.number:
            _log.debug("purged", events=purged.number)
