"""Rehearsal: what rules would say about events, on the events' own clock and in memory. Pure.

Routing, terms and the gate are the service's own; who waits for whom is decided as the ledger
decides it. What belongs to a day and not to rules is left out: far ends that fail, rates, mutes
and pauses. A message is said at the moment it is due, and it is its turn.
"""

from __future__ import annotations

import heapq
from bisect import insort
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from router.gate import CARRY, Remembered, ask, keys_of
from router.said import Fate, Said
from router.timing import Gone, Planned, Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from router.event import Event
    from router.route import Routing, RoutingTable


class Rehearsed(msgspec.Struct, frozen=True):
    """All that was said, in the order of time, and every delivery's fate, in the order made."""

    said: tuple[Said, ...]
    fates: tuple[Fate, ...]


def rehearse(table: RoutingTable, events: Iterable[Event], until: float) -> Rehearsed:
    """Post events in the order of time, then let the clock run on `until` (epoch seconds)."""
    said: list[Said] = []
    fates: list[Fate] = []
    rehearsal = Rehearsal(table, say=said.append, made=fates.append)
    for event in events:
        rehearsal.post(event)
    rehearsal.run(until)
    return Rehearsed(tuple(said), tuple(fates))


class Rehearsal:
    """A clock, what waits, and what is remembered. Give it events in the order of time.

    `say` is called with each message at its moment; `made` with each delivery when it is made,
    whose state changes until it has ended.
    """

    def __init__(
        self,
        table: RoutingTable,
        *,
        say: Callable[[Said], Any],
        made: Callable[[Fate], Any] | None = None,
    ) -> None:
        self._table = table
        self._say = say
        self._made = made
        self._now = 0.0
        self._last = 0
        self._kind = FIRE
        self._known: dict[str, Remembered] = {}
        self._heap: list[tuple[float, int, int, Fate]] = []  # (when, what, id)
        self._queues: dict[tuple[str, str], list[Fate]] = {}  # (channel, case): first is next
        self._digests: dict[str, dict[int, Fate]] = {}
        self._cases: dict[str, dict[int, Fate]] = {}  # all that waits of a case

    def post(self, event: Event) -> Routing:
        """Let the clock come to the event's time (it is never set back), then accept it."""
        if event.received_at > self._now:
            self.run(event.received_at)
        routing = self._table.route(event)
        if routing.cancels and event.case_key is not None:
            self._cancel(event, event.case_key, routing.cancels)
        made = [(self._make(event, planned), planned) for planned in routing.planned]
        for fate, planned in made:
            if planned.moment is not None:
                fate.reason = "its time has not come yet"
                self._wait(fate, FIRE)
            else:
                self._enter(fate, planned.terms)
        self.run(self._now)
        return routing

    @property
    def next_moment(self) -> float | None:
        """When something is next to happen, if no more events come; None: nothing waits."""
        while self._heap and self._heap[0][3].state != "pending":
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run(self, until: float) -> None:
        """Let the clock run, and say what has its moment by then."""
        while self._heap and self._heap[0][0] <= until:
            self._next()
        self._now = max(self._now, until)

    def _next(self) -> None:
        """Let what is first to happen do so: one timer, or all that may be said at that moment."""
        when, kind, _, fate = heapq.heappop(self._heap)
        if fate.state != "pending":
            return
        self._now = max(self._now, when)
        if kind == FIRE:
            self._fire(fate)
            return
        together = [fate]
        while self._heap and self._heap[0][:2] == (when, kind):
            together.append(heapq.heappop(self._heap)[3])
        self._speak(together, kind)

    def _make(self, event: Event, planned: Planned) -> Fate:
        self._last += 1
        moment = self._now if planned.moment is None else planned.moment
        fate = Fate(
            id=self._last,
            event=event,
            rule=planned.rule,
            channel=planned.channel,
            step=planned.step,
            moment=moment,
            due_at=moment,
            case_key=event.case_key,
        )
        if self._made is not None:
            self._made(fate)
        return fate

    def _wait(self, fate: Fate, kind: int) -> None:
        heapq.heappush(self._heap, (max(fate.due_at, self._now), kind, fate.id, fate))
        if fate.case_key is not None:
            self._cases.setdefault(fate.case_key, {})[fate.id] = fate

    def _fire(self, fate: Fate) -> None:
        """Its moment has come: ask the rules for its terms."""
        terms = self._table.terms(
            fate.event, Planned(fate.rule, fate.channel, fate.moment, fate.step)
        )
        if isinstance(terms, Gone):
            self._end(fate, "cancelled", terms.reason)
            return
        fate.reason = None
        self._enter(fate, terms)

    def _enter(self, fate: Fate, terms: Terms | None) -> None:
        """Pass the gate, then stand in the queue of the case."""
        if terms is None and (fate.channel, fate.case_key) not in self._queues:
            # Nothing is asked of it and nothing stands before it: most messages go this way.
            fate.state, fate.at = "sent", self._now
            self._say(Said(self._now, (fate,), digest=False))
            return
        if terms is not None:
            for key in keys_of(terms):
                if key in self._known and self._known[key].until < self._now:
                    del self._known[key]
            if ask(fate, terms, self._known) and terms.again is not None:
                moment, step = terms.again
                again = self._make(fate.event, Planned(fate.rule, fate.channel, moment, step))
                again.reason = "its time has not come yet"
                self._wait(again, FIRE)
            if fate.state != "pending":
                self._end(fate, "suppressed", fate.reason)
                return
        fate.queued = True
        case_key = fate.case_key
        if case_key is not None:
            insort(self._queues.setdefault((fate.channel, case_key), []), fate, key=_id)
        if fate.digest is not None:
            self._digests.setdefault(fate.digest, {})[fate.id] = fate
        self._wait(fate, SPEAK)

    def _speak(self, due: Sequence[Fate], kind: int) -> None:
        """Say what may go now, with what goes with it; what goes is decided for all at once.

        What an earlier one of its case stands before is asked again when that has gone.
        """
        units: list[list[Fate]] = []
        taken: set[int] = set()
        asked: set[str] = set()
        left: list[Fate] = []  # what one message has no room for
        for fate in due:
            waits = fate.state == "pending" and fate.queued and fate.due_at <= self._now
            if not waits or fate.id in taken or not self._its_turn(fate, {fate.id}):
                continue
            unit = [fate] if fate.digest is None else []
            if fate.digest is not None and fate.digest not in asked:
                asked.add(fate.digest)
                unit = self._together(fate.digest)
            if unit and taken.isdisjoint(one.id for one in unit):
                taken.update(one.id for one in unit)
                units.append(unit)
            if fate.id not in taken:
                left.append(fate)
        self._kind = kind
        for unit in units:
            self._say_unit(unit)
        for fate in left if units else ():
            self._wait(fate, kind + 1)

    def _say_unit(self, unit: list[Fate]) -> None:
        closed = self._table.closed_until(unit[0].rule, self._now)
        if closed is not None:
            for one in unit:
                one.due_at, one.reason = closed
                self._wait(one, SPEAK)
            return
        for one in unit:
            one.at, one.reason = self._now, None
        self._say(Said(self._now, tuple(unit), unit[0].digest is not None))
        for one in unit:
            self._end(one, "sent", None)

    def _together(self, digest: str) -> list[Fate]:
        """What goes as one message: what is due of a digest, and behind nothing else."""
        due = [fate for fate in self._digests[digest].values() if fate.due_at <= self._now]
        due.sort(key=lambda fate: (fate.due_at, fate.id))
        chosen = {fate.id: fate for fate in sorted(due[:CARRY], key=_id)}
        return [fate for fate in chosen.values() if self._its_turn(fate, chosen)]

    def _its_turn(self, fate: Fate, chosen: Any) -> bool:
        """Whether all that stands before it in its case's queue is among the chosen."""
        case_key = fate.case_key
        if case_key is None:
            return True
        for other in self._queues[fate.channel, case_key]:
            if other.id >= fate.id:
                return True
            if other.id not in chosen:
                return False
        return True

    def _cancel(self, event: Event, case_key: str, rules: Sequence[str]) -> None:
        waiting = [f for f in self._cases.get(case_key, {}).values() if f.rule in rules]
        for fate in waiting:
            self._end(fate, "cancelled", f"event {event.id} met its `unless`")

    def _end(
        self, fate: Fate, state: Literal["sent", "suppressed", "cancelled"], reason: str | None
    ) -> None:
        fate.state, fate.reason, fate.at = state, reason, self._now
        if fate.digest is not None and fate.queued:
            self._digests[fate.digest].pop(fate.id)
            if not self._digests[fate.digest]:
                del self._digests[fate.digest]
        case_key = fate.case_key
        if case_key is None:
            return
        waiting = self._cases.get(case_key, {})
        waiting.pop(fate.id, None)
        if not waiting:
            self._cases.pop(case_key, None)
        if fate.queued:
            self._let_next((fate.channel, case_key), fate)

    def _let_next(self, pair: tuple[str, str], gone: Fate) -> None:
        queue = self._queues[pair]
        queue.remove(gone)
        if not queue:
            del self._queues[pair]
        elif queue[0].due_at <= self._now:
            self._wait(queue[0], max(SPEAK, self._kind + 1))


FIRE, SPEAK = 0, 1
"""What is to happen at a moment; of the same moment, timers come first, then what may be said.
What had to wait for that comes after all of it (SPEAK + 1, and so on): so a digest does not go
before the last of its cases may."""


def _id(fate: Fate) -> int:
    return fate.id
