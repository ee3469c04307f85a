"""Timers: deliveries whose moment is yet to come, and what happens when it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from router.ledger.accept import reminders
from router.ledger.claim import stored
from router.ledger.gate import Candidate, gate
from router.ledger.lanes import LONGEST_REST
from router.ledger.mutes import Silence
from router.ledger.record import fallback_row, queue
from router.ledger.shapes import Fired
from router.ledger.tables import (
    BEHIND,
    NEXT,
    PENDING,
    QUEUED,
    WAITS_LATER,
    NewDelivery,
    deliveries,
    events,
    lanes,
)
from router.ledger.tallies import Counts
from router.ledger.turns import lock_cases, promote, step_back
from router.timing import Gone, Planned, Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from router.event import Event
    from router.ledger.engine import Engine

AT_ONCE = 200
"""Timers that one transaction fires, so that accepts do not wait long behind them."""


def fire(
    connection: sa.Connection,
    engine: Engine,
    terms_of: Callable[[Event, Planned], Terms | Gone],
    *,
    slot: int,
    now: float,
) -> Fired:
    """Pass what is due by now through the gate, by the rules as they are now.

    What a rule that is gone had to say is cancelled, with that reason.
    """
    rows = _due(connection, engine, now)
    if not rows:
        return Fired(0, frozenset(), _next_moment(connection))
    wanted = {row.event_id for row in rows}
    found = connection.execute(sa.select(events).where(events.c.id.in_(wanted)))
    by_id = {row.id: stored(row) for row in found}
    candidates: list[Candidate] = []
    changed: list[NewDelivery] = []
    for row in rows:
        delivery = _delivery(row, now)
        changed.append(delivery)
        planned = Planned(row.rule, row.channel, row.moment, row.step)
        terms = terms_of(by_id[row.event_id], planned)
        if isinstance(terms, Gone):
            delivery.state, delivery.reason = "cancelled", terms.reason
        else:
            candidates.append(Candidate(delivery, by_id[row.event_id], terms))
    again = gate(connection, engine, candidates, Silence(connection, now))
    _write(connection, engine, changed, now)
    counts = Counts(now)
    for row in changed:
        if row.state == "suppressed":
            counts.add("suppressed", row.channel)
    counts.write(connection, engine, slot)
    rows = [row.row() for row in reminders(connection, engine, again, now)]
    engine.insert(connection, deliveries, rows)
    channels = frozenset(row.channel for row in changed if row.state == "pending")
    return Fired(len(changed), channels, _next_moment(connection))


def cancel_removed(connection: sa.Connection, rules: Collection[str], now: float) -> int:
    """Cancel what rules that are gone were to say later; returns how many."""
    later = (
        WAITS_LATER,
        deliveries.c.rule.not_in(list(rules)),
    )
    reason = sa.literal("rule `") + deliveries.c.rule + sa.literal("` is no longer in the rules")
    values = {"state": "cancelled", "ended_at": now, "reason": reason}
    return connection.execute(deliveries.update().where(*later).values(**values)).rowcount


def fail_removed(
    connection: sa.Connection, channels: Sequence[str], reason: str, now: float
) -> int:
    """Fail what waits for a channel that is not one of `channels`; returns how many."""
    waits = (
        PENDING,
        deliveries.c.owner.is_(None),
        deliveries.c.channel.not_in(channels),
    )
    values = {"state": "failed", "reason": reason, "ended_at": now}
    return connection.execute(deliveries.update().where(*waits).values(**values)).rowcount


def expire(
    connection: sa.Connection,
    engine: Engine,
    limits: Mapping[str, tuple[float, str | None]],
    *,
    slot: int,
    now: float,
) -> set[str]:
    """Fail what could not be tried in time because its channel rests, and tell the fallbacks.

    `limits` are channels that rest: the seconds a delivery may wait there, and the fallback.
    Returns the channels that are told.
    """
    told: list[NewDelivery] = []
    freed: set[tuple[str, str]] = set()
    counts = Counts(now)
    for channel, (budget, fallback) in limits.items():
        if not _tried_lately(connection, channel, now):
            continue
        over = (
            QUEUED,
            deliveries.c.channel == channel,
            *_lapsed(deliveries, now - budget, now),
            sa.not_(_comes_first(channel, now - budget, now)),
        )
        rows = _fail(connection, engine, over, now)
        if rows:
            counts.add("failed", channel, len(rows))
        freed |= {(channel, row.case_key) for row in rows if row.case_key is not None}
        if fallback is not None and rows:
            new = engine.next_ids(connection, "deliveries", len(rows))
            ordered = sorted(rows, key=lambda row: row.id)
            together = f"fallback\x1f{ordered[0].id}"
            told += [
                fallback_row(i, row, fallback, now, together)
                for i, row in zip(new, ordered, strict=True)
            ]
    promote(connection, engine, freed)
    counts.write(connection, engine, slot)
    return queue(connection, engine, told)


def _lapsed(table: sa.FromClause, before: float, now: float) -> tuple[sa.ColumnElement[bool], ...]:
    return (table.c.owner.is_(None), table.c.moment < before, table.c.due_at <= now)


def _comes_first(channel: str, before: float, now: float) -> sa.ColumnElement[bool]:
    """Whether an earlier one of the case is still tried: the fallback is told of that one first."""
    first = deliveries.alias("first")
    return sa.exists().where(
        first.c.state == sa.text("'pending'"),
        first.c.turn.in_([sa.literal_column(str(BEHIND)), sa.literal_column(str(NEXT))]),
        first.c.channel == channel,
        first.c.case_key == deliveries.c.case_key,
        first.c.id < deliveries.c.id,
        sa.not_(sa.and_(*_lapsed(first, before, now))),
    )


def _fail(
    connection: sa.Connection, engine: Engine, over: Sequence[sa.ColumnElement[bool]], now: float
) -> Sequence[Any]:
    """Fail the first of what meets `over`, once nobody else changes whose turn it is there."""
    first = sa.select(deliveries.c.id, deliveries.c.case_key).where(*over)
    found = connection.execute(first.order_by(deliveries.c.id).limit(AT_ONCE)).all()
    if not found:
        return ()
    lock_cases(connection, engine, {row.case_key for row in found})
    chosen = deliveries.c.id.in_([row.id for row in found])
    values = {"state": "failed", "reason": OVER, "ended_at": now}
    update = deliveries.update().where(chosen, *over).values(**values)
    return connection.execute(update.returning(deliveries)).all()


def _tried_lately(connection: sa.Connection, channel: str, now: float) -> bool:
    """Whether the channel has failed since its last rest began: a clock that was set forward says
    that much time is over in which nobody tried, and the channel may be well by now."""
    query = sa.select(lanes.c.last_error_at).where(lanes.c.channel == channel)
    failed_at: float | None = connection.execute(query).scalar()
    return failed_at is not None and now - failed_at <= LONGEST_REST + TRIAL


TRIAL = 300.0
"""Seconds from the end of a rest within which its trial is over."""
OVER = "gave up: the channel kept failing for as long as a message is tried"


def _due(connection: sa.Connection, engine: Engine, now: float) -> Sequence[Any]:
    """What has its moment, locked; its cases first, as everybody does who changes their rows."""
    order = deliveries.c.due_at, deliveries.c.id
    waits = (WAITS_LATER, deliveries.c.due_at <= now)
    first = sa.select(deliveries.c.id, deliveries.c.case_key).where(*waits).order_by(*order)
    found = connection.execute(first.limit(AT_ONCE)).all()
    if not found:
        return ()
    lock_cases(connection, engine, {row.case_key for row in found})
    # Meanwhile another process may have let them be said, or cancelled them.
    chosen = deliveries.c.id.in_([row.id for row in found])
    query = sa.select(deliveries).where(chosen, WAITS_LATER).order_by(*order)
    return connection.execute(query.with_for_update(skip_locked=True)).all()


def _next_moment(connection: sa.Connection) -> float | None:
    query = sa.select(deliveries.c.due_at).where(WAITS_LATER).order_by(deliveries.c.due_at).limit(1)
    found: float | None = connection.execute(query).scalar()
    return found


def _delivery(row: Any, now: float) -> NewDelivery:
    return NewDelivery(
        id=row.id,
        event_id=row.event_id,
        rule=row.rule,
        channel=row.channel,
        case_key=row.case_key,
        ruleset=row.ruleset,
        created_at=row.created_at,
        moment=row.moment,
        due_at=now,
        turn=NEXT if row.case_key is None else BEHIND,
        step=row.step,
    )


def _write(
    connection: sa.Connection, engine: Engine, changed: Sequence[NewDelivery], now: float
) -> None:
    rows = [
        (
            row.id,
            row.state,
            row.reason,
            row.moment,
            row.due_at,
            row.turn,
            None if row.state == "pending" else now,
            row.digest,
            row.held,
        )
        for row in changed
    ]
    columns = ("id", "state", "reason", "moment", "due_at", "turn", "ended_at", "digest", "held")
    assign = {name: f":{name}" for name in columns[1:]}
    engine.update(connection, deliveries, assign, columns, "deliveries.id = :id", rows)
    waits = [row for row in changed if row.state == "pending" and row.case_key is not None]
    step_back(connection, engine, [(r.channel, str(r.case_key), r.id) for r in waits])
    promote(connection, engine, {(r.channel, str(r.case_key)) for r in waits})
