"""Taking deliveries in hand, and writing down what became of them.

A claim is one conditional statement that counts the attempt and sets the lease. There is no
state for "being sent" to be stuck in: when a lease ends unrecorded, or the process that held it
is gone, the delivery is due again, and marked, since it may have arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
import sqlalchemy as sa

from router.event import Event, Undecodable, decode
from router.ledger.accept import LEASE
from router.ledger.shapes import Claim, InHand, Tried
from router.ledger.tables import attempts, deliveries, delivery_row, events, messages, threads
from router.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.ledger.engine import Engine, Row

LOST = "the process that sent it ended before it wrote down the answer"

_earlier = deliveries.alias("earlier")
_next = (
    sa.select(deliveries.c.id)
    .where(
        deliveries.c.state == sa.text("'pending'"),
        deliveries.c.channel == sa.bindparam("of_channel"),
        deliveries.c.due_at <= sa.bindparam("now"),
        ~sa.exists().where(
            _earlier.c.state == sa.text("'pending'"),
            _earlier.c.case_key == deliveries.c.case_key,
            _earlier.c.channel == deliveries.c.channel,
            _earlier.c.id < deliveries.c.id,
        ),
    )
    .order_by(deliveries.c.due_at, deliveries.c.id)
    .limit(sa.bindparam("room"))
    .with_for_update(skip_locked=True, of=deliveries)
).cte("next")
_CLAIM = (
    deliveries.update()
    .where(deliveries.c.id.in_(sa.select(_next.c.id)))
    .values(
        attempt=deliveries.c.attempt + 1,
        due_at=sa.bindparam("lease"),
        owner=sa.bindparam("slot"),
        unsure=sa.case(
            (deliveries.c.owner.is_not(None), deliveries.c.attempt), else_=deliveries.c.unsure
        ),
    )
    .returning(deliveries)
)
_FIRST_DUE = (
    sa.select(deliveries.c.due_at)
    .where(
        deliveries.c.state == sa.text("'pending'"),
        deliveries.c.channel == sa.bindparam("of_channel"),
        deliveries.c.due_at > sa.bindparam("after"),
    )
    .order_by(deliveries.c.due_at)
    .limit(1)
)


def claim(
    connection: sa.Connection,
    engine: Engine,
    *,
    channel: str,
    room: int,
    slot: int,
    uid: str,
    now: float,
) -> Claim:
    """Take up to `room` deliveries of a channel that are due, the longest due first.

    One case's deliveries come one at a time, in the order they were written down.
    """
    given = {"of_channel": channel, "now": now, "room": room, "lease": now + LEASE, "slot": slot}
    rows = connection.execute(_CLAIM, given).all() if room > 0 else []
    more, next_due = _what_waits(connection, channel, now, full=len(rows) >= room)
    if not rows:
        return Claim((), more, next_due)
    lapsed = [row for row in rows if row.unsure and row.unsure == row.attempt - 1]
    engine.insert(
        connection,
        attempts,
        [(r.id, r.unsure, now, None, "ambiguous", None, LOST, None) for r in lapsed],
        "ON CONFLICT (delivery_id, number) DO NOTHING",
    )
    # RETURNING promises no order.
    in_hand = sorted(_complete(connection, rows, uid), key=lambda delivery: delivery.id)
    return Claim(tuple(in_hand), more, next_due)


def _what_waits(
    connection: sa.Connection, channel: str, now: float, *, full: bool
) -> tuple[Literal["nothing", "more", "blocked"], float | None]:
    first = connection.execute(_FIRST_DUE, {"of_channel": channel, "after": 0.0}).scalar()
    if first is None or first > now:
        return "nothing", first
    if full:
        return "more", now
    return "blocked", connection.execute(_FIRST_DUE, {"of_channel": channel, "after": now}).scalar()


def record(connection: sa.Connection, engine: Engine, tried: Sequence[Tried]) -> None:
    """Write down attempts and what follows from each.

    An attempt whose delivery was claimed again meanwhile is kept, and changes nothing else.
    """
    new = [t for t in tried if t.message is not None and t.delivery.message_id is None]
    ids = engine.next_ids(connection, "messages", len(new))
    stored = {t.delivery.id: message_id for t, message_id in zip(new, ids, strict=True)}
    contents = [msgspec.json.encode(t.message).decode() for t in new]
    engine.insert(connection, messages, list(zip(ids, contents, strict=True)))
    engine.insert(connection, attempts, [_attempt_row(t) for t in tried], _TRUTH_WINS)
    engine.update(connection, deliveries, _RECORD, _RECORD_COLUMNS, _STILL_OURS, [
        _record_row(t, stored.get(t.delivery.id)) for t in tried
    ])  # fmt: skip
    begun = [
        (t.delivery.channel, t.delivery.case_key, t.outcome.thread)
        for t in tried
        if t.outcome.thread and t.delivery.case_key
    ]
    engine.insert(connection, threads, begun, "ON CONFLICT (channel, case_key) DO NOTHING")
    _tell_fallbacks(connection, engine, tried)


def give_back(
    connection: sa.Connection, engine: Engine, held: Sequence[InHand], now: float
) -> None:
    """Return deliveries that were taken in hand but not begun: the attempt does not count."""
    engine.update(
        connection,
        deliveries,
        {"attempt": "attempt - 1", "due_at": ":due_at", "owner": "NULL"},
        ("id", "attempt", "due_at"),
        "id = :id AND deliveries.attempt = :attempt AND state = 'pending'",
        [(d.id, d.attempt, now) for d in held],
    )


def release(connection: sa.Connection, slot: int, now: float) -> int:
    """Make due at once what the dead process of a slot had in hand; returns how many."""
    held = deliveries.c.state == "pending", deliveries.c.owner == slot
    return connection.execute(deliveries.update().where(*held).values(due_at=now)).rowcount


def _tell_fallbacks(connection: sa.Connection, engine: Engine, tried: Sequence[Tried]) -> None:
    told = [t for t in tried if t.state == "failed" and t.fallback]
    if not told:
        return
    ours = sa.select(deliveries.c.id).where(
        deliveries.c.id.in_([t.delivery.id for t in told]), deliveries.c.state == "failed"
    )
    failed = set(connection.execute(ours).scalars())
    already = sa.select(deliveries.c.fallback_of).where(
        deliveries.c.event_id.in_([t.delivery.event.id for t in told]),
        deliveries.c.fallback_of.is_not(None),
    )
    failed -= set(connection.execute(already).scalars())
    told = [t for t in told if t.delivery.id in failed]
    ids = engine.next_ids(connection, "deliveries", len(told))
    rows = []
    for new, t in zip(ids, told, strict=True):
        old, now = t.delivery, t.at + t.outcome.elapsed
        row = (new, old.event.id, old.rule, str(t.fallback), old.case_key, old.ruleset, now)
        rows.append(delivery_row(*row, fallback_of=old.id))
    engine.insert(connection, deliveries, rows)


def _complete(connection: sa.Connection, rows: Sequence[Any], uid: str) -> list[InHand]:
    """Fetch the events, stored words and threads that belong to claimed rows."""
    event_ids = {row.event_id for row in rows}
    found = connection.execute(sa.select(events).where(events.c.id.in_(event_ids)))
    by_id = {row.id: _event(row) for row in found}
    message_ids = {row.message_id for row in rows} - {None}
    words: dict[int, Message] = {}
    if message_ids:
        stored = connection.execute(sa.select(messages).where(messages.c.id.in_(message_ids)))
        words = {row.id: msgspec.json.decode(row.content, type=Message) for row in stored}
    return [
        InHand(
            id=row.id,
            key=f"{uid}-{row.id}",
            event=by_id[row.event_id],
            ruleset=row.ruleset,
            rule=row.rule,
            channel=row.channel,
            created_at=row.created_at,
            attempt=row.attempt,
            unsure=row.unsure,
            lease=row.due_at,
            case_key=row.case_key,
            message=words.get(row.message_id),
            message_id=row.message_id,
        )
        for row in rows
    ]


def _event(row: Any) -> Event:
    try:
        fields = decode(row.body)
    except Undecodable:  # only what was decoded once has deliveries; a newer decoder may differ
        fields = {"trigger": row.trigger or ""}
    return Event(row.id, row.source, row.received_at, row.body, fields)


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


def _record_row(tried: Tried, message_id: int | None) -> Row:
    delivery, outcome = tried.delivery, tried.outcome
    ended_at = None if tried.state == "pending" else tried.at + outcome.elapsed
    unsure = delivery.attempt if outcome.kind == "ambiguous" else 0
    return (
        delivery.id,
        delivery.attempt,
        tried.state,
        tried.reason,
        tried.due_at,
        ended_at,
        unsure,
        message_id,
    )


def _attempt_row(tried: Tried) -> Row:
    outcome = tried.outcome
    captured = None
    if outcome.captured is not None:
        captured = msgspec.json.encode(outcome.captured).decode()
    head = (tried.delivery.id, tried.delivery.attempt, tried.at, outcome.elapsed, outcome.kind)
    return (*head, outcome.status, outcome.detail.replace("\0", ""), captured)
