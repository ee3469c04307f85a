"""Writing down what became of deliveries in hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from router.ledger.lanes import note
from router.ledger.tables import (
    BEHIND,
    NEXT,
    PENDING,
    NewDelivery,
    attempts,
    deliveries,
    messages,
    threads,
)
from router.ledger.tallies import Counts, count_tried
from router.ledger.turns import lock_cases, promote

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from router.ledger.engine import Engine, Row
    from router.ledger.shapes import InHand, Tried


def record(
    connection: sa.Connection, engine: Engine, tried: Sequence[Tried], *, slot: int, now: float
) -> set[str]:
    """Write down attempts and what follows from each; returns channels where more may go now.

    An attempt whose delivery was claimed again meanwhile is kept, and changes nothing else.
    """
    lock_cases(connection, engine, {key for t in tried for key in t.delivery.cases})
    new = [t for t in tried if t.message is not None and t.delivery.message_id is None]
    ids = engine.next_ids(connection, "messages", len(new))
    stored = {t.delivery.id: message_id for t, message_id in zip(new, ids, strict=True)}
    contents = [msgspec.json.encode(t.message).decode() for t in new]
    engine.insert(connection, messages, list(zip(ids, contents, strict=True)))
    engine.insert(connection, attempts, [_attempt_row(t) for t in tried], _TRUTH_WINS)
    rows = [row for t in tried for row in _record_rows(t, stored.get(t.delivery.id))]
    rows.sort(key=lambda row: row[:2])  # every process locks rows in one order
    engine.update(connection, deliveries, _RECORD, _RECORD_COLUMNS, _STILL_OURS, rows)
    begun = [
        (t.delivery.channel, t.delivery.case_key, t.outcome.thread)
        for t in tried
        if t.outcome.thread and t.delivery.case_key and not t.delivery.listed
    ]
    engine.insert(connection, threads, begun, "ON CONFLICT (channel, case_key) DO NOTHING")
    note(connection, engine, tried)
    counts = Counts(now)
    count_tried(counts, tried)
    counts.write(connection, engine, slot)
    told = _tell_fallbacks(connection, engine, tried)
    ended = {
        (t.delivery.channel, case_key)
        for t in tried
        if t.state != "pending"
        for case_key in t.delivery.cases
    }
    return told | promote(connection, engine, ended)


def give_back(
    connection: sa.Connection,
    engine: Engine,
    held: Sequence[InHand],
    due_at: float,
    reason: str | None = None,
) -> None:
    """Return deliveries that were taken in hand but not begun: the attempt does not count.

    With a `reason` they wait until `due_at`.
    """
    engine.update(
        connection,
        deliveries,
        {
            "attempt": "attempt - 1",
            "due_at": ":due_at",
            "owner": "NULL",
            "reason": "coalesce(:reason, deliveries.reason)",
            # What was never begun is no message yet: it is gathered afresh.
            "carried_by": "CASE WHEN deliveries.attempt = 1 THEN NULL ELSE carried_by END",
        },
        ("id", "attempt", "due_at", "reason"),
        "deliveries.id = :id AND deliveries.attempt = :attempt AND state = 'pending'",
        sorted((*part, due_at, reason) for one in held for part in one.parts),
    )


def take_back(connection: sa.Connection, slot: int, leases: Collection[float], now: float) -> None:
    """Return what this process claimed in commits of which it never heard whether they came to
    disk, by the leases that they set: nobody was told of it, so none of it was begun."""
    claimed = (PENDING, deliveries.c.owner == slot, deliveries.c.due_at.in_(leases))
    first = deliveries.c.attempt == 1
    values = {
        "owner": None,
        "attempt": deliveries.c.attempt - 1,
        "due_at": now,
        "carried_by": sa.case((first, None), else_=deliveries.c.carried_by),
    }
    connection.execute(deliveries.update().where(*claimed).values(**values))


def release(connection: sa.Connection, slot: int, now: float) -> int:
    """Make due at once what the dead process of a slot had in hand; returns how many."""
    held = deliveries.c.state == "pending", deliveries.c.owner == slot
    return connection.execute(deliveries.update().where(*held).values(due_at=now)).rowcount


def queue(connection: sa.Connection, engine: Engine, rows: Sequence[NewDelivery]) -> set[str]:
    """Insert deliveries behind whatever of their cases waits; returns their channels."""
    for row in rows:
        row.turn = NEXT if row.case_key is None else BEHIND
    engine.insert(connection, deliveries, [row.row() for row in rows])
    promote(connection, engine, {(r.channel, r.case_key) for r in rows if r.case_key is not None})
    return {row.channel for row in rows}


def _tell_fallbacks(connection: sa.Connection, engine: Engine, tried: Sequence[Tried]) -> set[str]:
    told = [t for t in tried if t.state == "failed" and t.fallback]
    if not told:
        return set()
    parts = [part for t in told for part in t.delivery.parts]
    ours = sa.select(deliveries).where(
        deliveries.c.id.in_([part[0] for part in parts]), deliveries.c.state == "failed"
    )
    failed = {row.id: row for row in connection.execute(ours)}
    already = sa.select(deliveries.c.fallback_of).where(
        deliveries.c.event_id.in_({row.event_id for row in failed.values()}),
        deliveries.c.fallback_of.is_not(None),
    )
    for original in connection.execute(already).scalars():
        failed.pop(original, None)
    new = iter(engine.next_ids(connection, "deliveries", len(failed)))
    rows = []
    for t in told:
        now = t.at + t.outcome.elapsed
        together = f"fallback\x1f{t.delivery.id}" if t.delivery.listed else None
        for part, _ in t.delivery.parts:
            old = failed.pop(part, None)
            if old is not None:
                rows.append(fallback_row(next(new), old, str(t.fallback), now, together))
    return queue(connection, engine, rows)


def fallback_row(
    delivery_id: int, old: Any, channel: str, now: float, digest: str | None
) -> NewDelivery:
    """The delivery that tells another channel what one failed to tell."""
    return NewDelivery(
        id=delivery_id,
        event_id=old.event_id,
        rule=old.rule,
        channel=channel,
        case_key=old.case_key,
        ruleset=old.ruleset,
        created_at=now,
        moment=now,
        due_at=now,
        fallback_of=old.id,
        step=old.step,
        digest=digest,
    )


_TRUTH_WINS = (
    "ON CONFLICT (delivery_id, number) DO UPDATE SET elapsed = excluded.elapsed,"
    " outcome = excluded.outcome, status = excluded.status, detail = excluded.detail,"
    " captured = excluded.captured"
)
_RECORD = {
    "state": ":state",
    "reason": ":reason",
    "due_at": "coalesce(:due_at, deliveries.due_at)",
    "ended_at": ":ended_at",
    "owner": "NULL",
    "unsure": "CASE WHEN :unsure > 0 THEN :unsure ELSE deliveries.unsure END",
    "message_id": "coalesce(:message_id, deliveries.message_id)",
}
_RECORD_COLUMNS = (
    "id",
    "attempt",
    "state",
    "reason",
    "due_at",
    "ended_at",
    "unsure",
    "message_id",
)
_STILL_OURS = (
    "deliveries.id = :id AND deliveries.attempt = :attempt AND deliveries.state = 'pending'"
)


def _record_rows(tried: Tried, message_id: int | None) -> list[Row]:
    ended_at = None if tried.state == "pending" else tried.at + tried.outcome.elapsed
    lost = tried.outcome.kind == "ambiguous"
    tail = (tried.state, tried.reason, tried.due_at, ended_at)
    return [
        (part, attempt, *tail, attempt if lost else 0, message_id)
        for part, attempt in tried.delivery.parts
    ]


def _attempt_row(tried: Tried) -> Row:
    outcome = tried.outcome
    captured = None
    if outcome.captured is not None:
        captured = msgspec.json.encode(outcome.captured).decode()
    head = (tried.delivery.id, tried.delivery.attempt, tried.at, outcome.elapsed, outcome.kind)
    return (*head, outcome.status, outcome.detail.replace("\0", ""), captured)
