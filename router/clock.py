"""The worker's clock: it fires timers, looks for what is due, and does the chores.

What this process wrote itself is handed over in memory. The look finds the rest: what another
process or a command wrote, what a process that died left, what an operator resumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from router.duration import show_duration
from router.ledger import LedgerUnavailable
from router.log import Repeated, get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.chores import Chores
    from router.in_force import Rules
    from router.lane import Lane
    from router.ledger import Due, Ledger
    from router.scheduler import Event, Scheduler
    from router.supervisor import Beat

LOOK = 2.0
"""Seconds between two looks at what is due: of what another process or a command wrote."""
LONGEST_LOOK = 5.0
SHARE = 200.0
"""A look that takes long comes so many times rarer than it takes: it costs half a hundredth of a
core at most, since a process that is idle may cost a hundredth in all."""
FIRE = 30.0
"""Seconds after which to look for timers again, whatever is known of the next."""
FIRE_WITHIN = 1.0
"""Seconds after which the other steps have their turn, however many timers are left to fire."""
AGAIN = 0.5
"""Seconds after which what the ledger could not answer is asked again."""
TRUST = 5.0
"""Seconds for which a claim that brought nothing is believed about when to claim again."""
SILENT = 60.0
"""Seconds that something may be due on a channel that moves nothing, before it is told."""

_log = get_logger()


class Claims(Protocol):
    """What the clock asks of the worker."""

    @property
    def lanes(self) -> tuple[Lane, ...]: ...

    def lane(self, channel: str) -> Lane: ...

    def pause(self, channels: frozenset[str]) -> None: ...

    def claim(self, channel: str) -> None: ...

    def step(self) -> None: ...


class Clock:
    """One thread of the worker: `run` is kept alive by the supervisor."""

    def __init__(
        self,
        worker: Claims,
        ledger: Ledger,
        rules: Rules,
        chores: Chores,
        stopping: Event,
        scheduler: Scheduler,
        now: Callable[[], float],
    ) -> None:
        self._worker = worker
        self._ledger = ledger
        self._rules = rules
        self._chores = chores
        self._stopping = stopping
        self._scheduler = scheduler
        self._now = now
        self._wake = scheduler.event()
        self._asked = False  # to look at once
        self._fire_at = 0.0  # when the next timer has its moment
        self._look_at = 0.0  # monotonic
        self._may_go_since: dict[str, float] = {}  # monotonic
        self._faults = Repeated("clock_fault")
        self.silent: tuple[str, ...] = ()
        """Channels on which something is due and nothing moves, each in words."""

    def run(self, beat: Beat) -> None:
        """Come round until the worker stops."""
        while not self._stopping.is_set():
            beat()
            if self._fire_at <= self._now():
                # Another process may have moved the timers already, because the clock was set.
                self._chores.see_clock()
            self._do("timers", self._fire)
            if self._asked or self._scheduler.monotonic() >= self._look_at:
                self._asked = False
                self._do("look", self._look)
                beat()
                self._do("senders", self._worker.step)
            self._do("alarms", self._ring)
            self._do("chores", self._chores.step)
            self._sleep()

    def wake(self) -> None:
        """Look at once (somebody changed something)."""
        self._asked = True
        self._wake.set()

    def look_up(self) -> None:
        """Some lane's alarm is sooner than it was."""
        self._wake.set()

    def later(self, moment: float) -> None:
        """Something was written down that has its moment then."""
        if moment < self._fire_at:
            self._fire_at = moment
            self._wake.set()

    def _do(self, name: str, step: Callable[[], None]) -> None:
        """Take one step; whatever it meets, the others are taken too."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - told in the log; the next round tries it again
            self._faults.note(name, error, expected=isinstance(error, LedgerUnavailable))
        else:
            self._faults.over(name)

    def _fire(self) -> None:
        now = self._now()
        until = self._scheduler.monotonic() + FIRE_WITHIN
        while self._fire_at <= now and not self._stopping.is_set():
            self._fire_at = now + AGAIN  # should this fail
            fired = self._ledger.upkeep.fire(self._rules.current.table.terms)
            # Another process may have written an earlier one and be gone.
            self._fire_at = min(fired.next_moment or now + FIRE, now + FIRE)
            for channel in fired.channels:
                self._worker.claim(channel)
            if self._scheduler.monotonic() > until:
                return

    def _look(self) -> None:
        began = self._scheduler.monotonic()
        self._look_at = began + LOOK
        due = self._ledger.due(self._now())
        took = self._scheduler.monotonic() - began
        self._look_at = began + min(max(LOOK, SHARE * took), LONGEST_LOOK)
        self._chores.note(due, took)
        now = self._now()  # the clock may have been set
        if due.next_moment is not None:
            self.later(due.next_moment)
        self._worker.pause(due.paused)
        self._claim_due(due, now)
        self.silent = tuple(self._silent(due, now))

    def _claim_due(self, due: Due, now: float) -> None:
        known = self._rules.current.ruleset.channels
        for channel, due_at in due.channels.items():
            if channel not in known:
                continue
            lane = self._worker.lane(channel)
            if due_at > now:
                if lane.alarm is None or due_at < lane.alarm:
                    lane.alarm = due_at
            elif not now < lane.idle_until < now + TRUST:
                self._worker.claim(channel)

    def _silent(self, due: Due, now: float) -> list[str]:
        moment = self._scheduler.monotonic()
        may_go = due.may_go(self._rules.current.ruleset.channels)
        # Seen so, look by look: of a rest that another process' trial has just ended, only what
        # comes after it counts.
        self._may_go_since = {
            channel: self._may_go_since.get(channel, moment)
            for channel, may_go_at in may_go.items()
            if may_go_at <= now
        }
        return [
            f"`{channel}` sends nothing, and something is due there for"
            f" {show_duration(round(now - may_go[channel]))}"
            for channel, since in self._may_go_since.items()
            if moment - max(since, self._worker.lane(channel).moved_at) > SILENT
        ]

    def _ring(self) -> None:
        now = self._now()
        for lane in self._worker.lanes:
            if lane.alarm is not None and lane.alarm <= now:
                self._worker.claim(lane.channel)

    def _sleep(self) -> None:
        """Wait until a timer, a lane or a look has its moment, or somebody calls."""
        while not (self._stopping.is_set() or self._asked):
            now = self._now()
            alarms = [lane.alarm for lane in self._worker.lanes if lane.alarm is not None]
            due = min([self._fire_at, *alarms]) - now
            wait = min(due, self._look_at - self._scheduler.monotonic())
            if wait <= 0 or wait > FIRE:  # over, or the clock was set back
                return
            if self._wake.wait(wait):
                self._wake.clear()
