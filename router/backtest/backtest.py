"""Two rehearsals of the same events side by side, and what differs between them.

A message is the same one if it is said by the same rule to the same channel about the same event.
What is left over is paired by what it lists, then by its words, if another rule says them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from router.backtest.changes import Report
from router.backtest.tally import Tally, key_of
from router.backtest.words import Side, moved
from router.rehearse import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.backtest.tally import Key
    from router.event import Event
    from router.said import Fate, Said


def backtest(old: Side, new: Side, events: Iterable[Event], until: float) -> Report:
    """Rehearse the events under both, then let the clock run on `until` (epoch seconds)."""
    running = Backtest(old, new)
    for event in events:
        running.post(event)
    return running.end(until)


class Backtest:
    """A backtest that is under way: post events in the order of time, then end it."""

    def __init__(self, old: Side, new: Side) -> None:
        self._sides = (_Run(old), _Run(new))
        self._tally = Tally(old, new)
        self._names = (old, new)
        self.number = 0
        self._began = 0.0

    def post(self, event: Event) -> None:
        """Rehearse one event under both rulesets."""
        if not self.number:
            self._began = event.received_at
        self.number += 1
        for side in self._sides:
            side.post(event)
        self._settle()

    def end(self, until: float) -> Report:
        """Let the clock run on, and tell what was found."""
        old, new = self._sides
        for side in self._sides:
            side.rehearsal.run(until)
        self._settle()
        waiting = (old.waiting(), new.waiting())
        rows = self._tally.end(*waiting)
        failed = {
            name: (old.failed[name], new.failed[name])
            for name in sorted({*old.failed, *new.failed})
        }
        return Report(
            events=self.number,
            began=self._began if self.number else until,
            ended=until,
            rows=rows,
            waiting=(len(waiting[0]), len(waiting[1])),
            failed=failed,
            moved=dict(moved(*(side.table.ruleset for side in self._names))),
        )

    def _settle(self) -> None:
        old, new = self._sides
        if old.said or new.said:
            self._tally.settle(old.said, new.said, (old.find, new.find))
            old.said.clear()
            new.said.clear()
        old.sweep()
        new.sweep()


class _Run:
    """One side under way: what it said since it was looked at, and what it made and waits."""

    def __init__(self, side: Side) -> None:
        self.said: list[Said] = []
        self.made: list[Fate] = []
        self.failed: Counter[str] = Counter()
        self._waiting: dict[Key, Fate] = {}
        self._limit = 1000
        self.rehearsal = Rehearsal(side.table, say=self.said.append, made=self.made.append)

    def post(self, event: Event) -> None:
        routing = self.rehearsal.post(event)
        if routing.errors:
            self.failed.update({name for name, _ in routing.errors})

    def sweep(self) -> None:
        """Keep in mind only what still waits."""
        for fate in self.made:
            if fate.state == "pending":
                self._waiting[key_of(fate)] = fate
        self.made.clear()
        if len(self._waiting) > self._limit:
            self._waiting = {k: f for k, f in self._waiting.items() if f.state == "pending"}
            self._limit = 2 * len(self._waiting) + 1000

    def find(self, key: Key) -> Fate | None:
        """What was made of an event now, or waits since before."""
        now = next((fate for fate in self.made if key_of(fate) == key), None)
        return now or self._waiting.get(key)

    def waiting(self) -> list[Fate]:
        self.sweep()
        return [fate for fate in self._waiting.values() if fate.state == "pending"]
