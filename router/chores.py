"""Chores: what a process looks after between two claims.

Dead processes' work, channels that rest too long, what waits for channels and rules that are gone,
mutes that end, what is watched, old history.
Each has its own time and its own faults: one that fails keeps no other from its turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.access import IDLE, LONGEST
from router.ledger import NOISE, LedgerUnavailable, SharedClock
from router.log import Repeated, get_logger
from router.watch import Watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.in_force import Rules
    from router.ledger import Due, Ledger
    from router.metrics import Metrics
    from router.scheduler import Scheduler

IDENTITY = 5.0
TAKE_OVER = 3.0
WATCH = 5.0
EXPIRE = 3.0
RARE = 60.0
CLOCK = 1.0
"""Seconds between two looks at the clock that counts."""
BACK = 1.0
"""Seconds that a clock has to be set back for what was due to be looked after."""
FORWARD = 60.0
"""Seconds that a clock has to be set forward for it to be told, and purging to wait."""
TRIES = 5
"""Looks after which the clock counts as it is, though the ledger does not take it on."""
FIRST_PURGE = 600.0
"""Seconds before a process purges, from its start and from when its clock was set forward: a clock
that is wrong is set right by then, and has taken no history away."""
PAUSE = 0.2
"""Seconds between two steps of purging: accepts come first."""

_log = get_logger()


class _Chore:
    """Something to do every so many seconds of a clock that may be set back."""

    def __init__(self, name: str, every: float, do: Callable[[float], None]) -> None:
        self.name = name
        self.every = every
        self.do = do
        self.done_at = 0.0

    def is_due(self, now: float) -> bool:
        return not 0 <= now - self.done_at < self.every


class Chores:
    """The housekeeping of one process. Called by the worker's clock."""

    def __init__(
        self,
        ledger: Ledger,
        rules: Rules,
        metrics: Metrics,
        scheduler: Scheduler,
        now: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._rules = rules
        self._metrics = metrics
        self._now = now
        self._shared = now if isinstance(now, SharedClock) else None
        self.watch = Watching(ledger, rules, now)
        self._faults = Repeated("chore_fault")
        self._last = now()
        self._ticked = scheduler.monotonic()
        self._tries = 0
        self._scheduler = scheduler
        self._purge_from = self._ticked + min(FIRST_PURGE, rules.retention)  # monotonic
        self._newest = 0  # the highest delivery id of the last look
        self._failing: dict[str, float] = {}
        self._ended_for = ""  # the hash of the rules by which what is gone from them was ended
        self._after = 0
        self._purge = _Chore("purge", min(RARE, rules.retention), self._purge_some)
        self._chores = (
            _Chore("identity", IDENTITY, lambda _: ledger.check_identity()),
            _Chore("take over", TAKE_OVER, self._take_over),
            _Chore("expire", EXPIRE, self._expire),
            _Chore("removed", 0.0, lambda _: self._end_removed()),
            _Chore("watch", WATCH, self.watch.step),
            _Chore("forget", RARE, self._forget),
            self._purge,
        )

    def note(self, due: Due, took: float) -> None:
        """Keep what the clock's look has just brought, for what comes next; it `took` so many
        seconds."""
        self._newest = due.newest
        self._failing = due.failing
        if self._shared is not None and due.clock is not None and took <= NOISE:
            self._do("clock", self._take_on, self._shared.time_by(due.clock, took))

    def step(self) -> None:
        """Do what it is time for."""
        if self._scheduler.monotonic() - self._ticked >= CLOCK:
            self.see_clock()
        now = self._now()
        for chore in self._chores:
            if chore.is_due(now):
                chore.done_at = now
                self._do(chore.name, chore.do, now)

    def see_clock(self) -> None:
        """See whether the clock was set since the last time, and take that on."""
        look = self._now if self._shared is None else self._shared.look
        self._do("clock", lambda _: self._take_on(look()), 0.0)

    def _take_on(self, now: float) -> None:
        """It is `now` by the clock that counts: see whether it was set since the last time; nothing
        is written by it before the ledger has taken it on."""
        shared = self._shared
        moment = self._scheduler.monotonic()
        was = self._last + moment - self._ticked

        def follow() -> None:
            if shared is not None:
                shared.set(now + self._scheduler.monotonic() - moment)

        jumped = now < was - BACK or now > was + FORWARD
        if jumped:
            self._tell_clock(now - was)
            newest, take_on = self._newest, self._ledger.upkeep.set_clock
            if not self._do("set clock", lambda now: take_on(was, now, newest, follow), now):
                self._tries += 1
                if self._tries < TRIES:
                    return
        follow()
        if jumped:
            self.watch.set_clock(now - was, now)
        self._last, self._ticked, self._tries = now, moment, 0

    def _tell_clock(self, seconds: float) -> None:
        if seconds < 0:
            _log.warning("clock_set_back", seconds=round(-seconds, 3))
            return
        _log.warning("clock_set_forward", seconds=round(seconds, 3))
        self._purge_from = self._scheduler.monotonic() + min(FIRST_PURGE, self._rules.retention)

    def _do(self, name: str, do: Callable[[float], object], now: float) -> bool:
        """Do one thing; answers whether that went well."""
        try:
            do(now)
        except Exception as error:  # noqa: BLE001 - told in the log; its next time comes
            self._faults.note(name, error, expected=isinstance(error, LedgerUnavailable))
            return False
        self._faults.over(name)
        return True

    def _take_over(self, _now: float) -> None:
        released = self._ledger.take_over()
        if released:
            _log.warning("taken_over", deliveries=released)

    def _expire(self, now: float) -> None:
        """Give up what could not be tried in time because its channel rests."""
        channels = self._rules.current.ruleset.channels
        limits = {
            name: (channels[name].retry.budget, channels[name].fallback)
            for name, failing_since in self._failing.items()
            if name in channels and now - failing_since > channels[name].retry.budget
        }
        if limits:
            self._ledger.upkeep.expire(limits)

    def _end_removed(self) -> None:
        """Once for each ruleset that comes in force: fail what waits for channels that are gone,
        cancel what rules that are gone would say."""
        ruleset = self._rules.current.ruleset
        if ruleset.hash == self._ended_for:
            return
        upkeep = self._ledger.upkeep
        reason = "its channel is no longer in the rules"
        if failed := upkeep.fail_removed(list(ruleset.channels), reason):
            _log.warning("channel_removed", deliveries=failed)
        if cancelled := upkeep.cancel_removed([rule.name for rule in ruleset.rules]):
            _log.warning("rule_removed", deliveries=cancelled)
        self._ended_for = ruleset.hash

    def _forget(self, now: float) -> None:
        self._ledger.upkeep.forget()
        self._ledger.people.forget(
            begun_before=now - LONGEST,
            idle_before=now - IDLE,
            deeds_before=now - self._rules.retention,
        )

    def _purge_some(self, now: float) -> None:
        if self._scheduler.monotonic() < self._purge_from:
            return
        purged = self._ledger.upkeep.purge(now - self._rules.retention, self._after)
        self._after = purged.looked
        self._purge.every = PAUSE if self._after else min(RARE, self._rules.retention)
        if purged.number:
            _log.debug("purged", events=purged.number)
