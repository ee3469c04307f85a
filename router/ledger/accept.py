"""Writing down events and the deliveries they make: a whole batch in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.ledger.gate import Candidate, gate
from router.ledger.lanes import resting
from router.ledger.mutes import Silence
from router.ledger.shapes import Accepted, Draft, InHand, delivery_key
from router.ledger.tables import (
    BEHIND,
    LATER,
    NEXT,
    NewDelivery,
    deliveries,
    events,
    meta,
)
from router.ledger.tallies import Counts, count_accepted
from router.ledger.turns import FOLLOWS, Pair, free, lock_cases, promote, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from router.ledger.engine import Engine, Row
    from router.timing import Planned

LEASE = 300.0
"""Seconds a claim holds: longer than the longest wait in hand and the longest send together."""


NOT_YET = "its time has not come yet"


class Written:
    """What one batch of drafts became: the answers, what is in hand, and which channels wait.

    `first_moment` is the earliest moment of what is to be said later.
    """

    def __init__(self) -> None:
        self.accepted: list[Accepted] = []
        self.in_hand: list[InHand] = []
        self.waiting: set[str] = set()
        self.first_moment: float | None = None


def accept(
    connection: sa.Connection,
    engine: Engine,
    drafts: Sequence[Draft],
    *,
    room: Callable[[str], int],
    slot: int,
    uid: str,
    now: float,
    lapses_at: float,
) -> Written:
    """Insert the drafts' events and deliveries, and cancel what they make needless.

    A delivery is inserted already claimed by `slot` while its channel has `room` (how many more
    this process takes in hand, until the monotonic `lapses_at`) and it is its turn: so it is handed
    over in memory after the commit and nothing needs to look for it. All others wait for a claim,
    or for their moment.
    """
    written = Written()
    if not drafts:
        return written
    batch = _Batch(connection, engine, drafts, now)
    batch.cancel()
    batch.ask()
    batch.give_turns()
    batch.hand_over(written, room, slot, uid, lapses_at)
    ids = batch.ids
    engine.insert(connection, events, [event_row(i, d) for i, d in zip(ids, drafts, strict=True)])
    engine.insert(connection, deliveries, [row.row() for row in batch.rows])
    promote(connection, engine, batch.freed)
    batch.count(slot)
    for event_id, draft in zip(ids, drafts, strict=True):
        written.accepted.append(Accepted(event_id, len(draft.planned)))
    return written


class _Batch:
    """The new deliveries of one batch, on their way to their rows."""

    def __init__(
        self, connection: sa.Connection, engine: Engine, drafts: Sequence[Draft], now: float
    ) -> None:
        self._connection = connection
        self._engine = engine
        self._now = now
        self.ids = engine.next_ids(connection, "events", len(drafts))
        self.drafts = drafts
        self.rows: list[NewDelivery] = []
        self._candidates: list[Candidate] = []
        self._places: list[tuple[Draft, Planned]] = []
        self.freed: set[Pair] = set()
        lock_cases(connection, engine, {d.event.case_key for d in drafts if d.planned or d.cancels})
        told = {draft.event.case_key for draft in drafts if draft.planned}
        self._blocked = taken(connection, engine, {key for key in told if key is not None})
        count = sum(len(draft.planned) for draft in drafts)
        new = iter(engine.next_ids(connection, "deliveries", count))
        self._ends: list[tuple[int, Draft, int]] = []
        for event_id, draft in zip(self.ids, drafts, strict=True):
            if draft.cancels:
                self._ends.append((event_id, draft, len(self.rows)))
            for planned in draft.planned:
                self._add(next(new), event_id, draft, planned)

    def _add(self, delivery_id: int, event_id: int, draft: Draft, planned: Planned) -> None:
        event, now = draft.event, self._now
        later = planned.moment is not None
        moment = event.received_at if planned.moment is None else planned.moment
        row = NewDelivery(
            id=delivery_id,
            event_id=event_id,
            rule=planned.rule,
            channel=planned.channel,
            case_key=event.case_key,
            ruleset=draft.ruleset,
            created_at=now,
            moment=moment,
            due_at=moment if later else now,
            turn=LATER if later else NEXT,
            step=planned.step,
            reason=NOT_YET if later else None,
        )
        self.rows.append(row)
        self._places.append((draft, planned))
        if not later:
            self._candidates.append(Candidate(row, event, planned.terms))

    def cancel(self) -> None:
        """Take back what waits and is not to be said any more, of before and of this batch.

        Where that was next, what waits behind it is let forward once the new ones are there.
        """
        ends = [(event_id, d, n) for event_id, d, n in self._ends if d.event.case_key is not None]
        if not ends:
            return
        keys = {str(draft.event.case_key) for _, draft, _ in ends}
        waiting = free(self._connection, keys, {r for _, draft, _ in ends for r in draft.cancels})
        rows: dict[int, Row] = {}
        for event_id, draft, before in ends:
            reason = f"event {event_id} met its `unless`"
            case_key, rules = draft.event.case_key, draft.cancels
            for old in waiting:
                if old.case_key == case_key and old.rule in rules and old.id not in rows:
                    rows[old.id] = (old.id, reason, self._now)
                    if old.turn == NEXT:
                        self.freed.add((old.channel, old.case_key))
            for new in self.rows[:before]:
                if new.case_key == case_key and new.rule in rules:
                    new.state, new.reason = "cancelled", reason
        columns = ("id", "reason", "ended_at")
        gone = list(rows.values())
        self._engine.update(self._connection, deliveries, _CANCEL, columns, _FREE, gone)

    def ask(self) -> None:
        """Pass what is due now through the gate; what is to be said again gets its reminder."""
        silence = Silence(self._connection, self._now)
        asked = [
            candidate
            for candidate in self._candidates
            if candidate.delivery.state == "pending" and (silence or candidate.terms is not None)
        ]
        if not asked:
            return
        again = gate(self._connection, self._engine, asked, silence)
        self.rows += reminders(self._connection, self._engine, again, self._now)

    def give_turns(self) -> None:
        """Put what is due now behind what waits of its case."""
        blocked = self._blocked
        for row in self.rows:
            if row.state != "pending" or row.turn == LATER or row.case_key is None:
                continue
            pair = (row.channel, row.case_key)
            if pair in blocked:
                row.turn = BEHIND
                row.reason = row.reason or FOLLOWS
            blocked.add(pair)

    def hand_over(
        self, written: Written, room: Callable[[str], int], slot: int, uid: str, lapses_at: float
    ) -> None:
        """Claim at once what there is room for, but for channels that rest."""
        rests = resting(self._connection, self._now)
        places: dict[str, int] = {}
        for row, (draft, _) in zip(self.rows, self._places, strict=False):
            if row.state != "pending" or row.turn == LATER:
                continue
            left = places.get(row.channel)
            if left is None:
                left = 0 if row.channel in rests else room(row.channel)
            mine = left > 0 and row.turn == NEXT and row.due_at <= self._now
            places[row.channel] = left - 1 if mine else 0
            if not mine:
                written.waiting.add(row.channel)
                continue
            row.slot, row.due_at = slot, self._now + LEASE
            written.in_hand.append(_in_hand(draft, row, uid, lapses_at))
        moments = [row.due_at for row in self.rows if row.turn == LATER and row.state == "pending"]
        written.first_moment = min(moments, default=None)

    def count(self, slot: int) -> None:
        """Add the batch to the tallies."""
        counts = Counts(self._now)
        count_accepted(counts, self.drafts)
        for row in self.rows:
            if row.state == "suppressed":
                counts.add("suppressed", row.channel)
        counts.write(self._connection, self._engine, slot)


def reminders(
    connection: sa.Connection, engine: Engine, again: Sequence[Candidate], now: float
) -> list[NewDelivery]:
    """The deliveries that say it another time, later."""
    new = iter(engine.next_ids(connection, "deliveries", len(again)))
    return [_reminder(candidate, next(new), now) for candidate in again]


def note_checked(connection: sa.Connection, now: float) -> None:
    """Write something (a value that did not change would not reach the disk)."""
    connection.execute(meta.update().where(meta.c.key == "checked_at").values(value=str(now)))


def _reminder(candidate: Candidate, delivery_id: int, now: float) -> NewDelivery:
    said = candidate.delivery
    if candidate.terms is None or candidate.terms.again is None:
        raise AssertionError("only what is to be said again comes here")
    moment, step = candidate.terms.again
    return NewDelivery(
        id=delivery_id,
        event_id=said.event_id,
        rule=said.rule,
        channel=said.channel,
        case_key=said.case_key,
        ruleset=said.ruleset,
        created_at=now,
        moment=moment,
        due_at=moment,
        turn=LATER,
        step=step,
        reason=NOT_YET,
    )


def _in_hand(draft: Draft, row: NewDelivery, uid: str, lapses_at: float) -> InHand:
    event = draft.event
    return InHand(
        id=row.id,
        key=delivery_key(uid, row.id, row.created_at, row.id),
        event=type(event)(row.event_id, event.source, event.received_at, event.body, event.fields),
        ruleset=row.ruleset,
        rule=row.rule,
        channel=row.channel,
        created_at=row.created_at,
        moment=row.moment,
        attempt=1,
        unsure=0,
        lease=row.due_at,
        lapses_at=lapses_at,
        case_key=row.case_key,
        step=row.step,
        held=row.held,
    )


def event_row(event_id: int, draft: Draft) -> Row:
    """An event in the order of the table's columns."""
    event = draft.event
    head = (event_id, event.received_at, event.source)
    tail = (event.body, draft.ruleset, draft.matched, draft.rejected)
    if draft.rejected is not None:
        return (*head, None, None, None, None, *tail)
    case_ref = event.case_ref
    trigger = event.trigger.replace("\0", "")
    return (*head, trigger, event.case_key, case_ref, _words(event.fields, case_ref), *tail)


def _words(fields: dict[str, object], case_ref: str | None) -> str:
    told = (case_ref, fields.get("case_name"), fields.get("process_key"))
    return " ".join(str(word) for word in told if word).lower().replace("\0", "")[:500]


_CANCEL = {"state": "'cancelled'", "reason": ":reason", "ended_at": ":ended_at"}
_FREE = "deliveries.id = :id AND state = 'pending' AND owner IS NULL AND carried_by IS NULL"
