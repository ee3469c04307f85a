"""Which deliveries go together as one message, and which by themselves.

Those of one digest do; so do those that wait beyond what a channel's rate can carry (`overflow:
digest`); and those that were put in one message before go with the same ones again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from router.gate import CARRY
from router.ledger.tables import PENDING, QUEUED, WAITS_BEHIND, WAITS_FIRST, deliveries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.rules import Rate

PATIENCE = 10.0
"""Seconds of waiting that a rate may make before what waits goes together."""


class Unit(NamedTuple):
    """What goes as one message: one delivery, or several `together`, in order."""

    rows: list[Any]
    together: bool


def units(
    connection: sa.Connection,
    channel: str,
    *,
    rate: Rate | None,
    may: int,
    now: float,
    trial: bool,
    probe: int | None,
) -> list[Unit]:
    """What is to be said next on a channel: `may` messages at most.

    On `trial` (the channel has been failing) the delivery that failed last comes first: it
    probes, and the others keep their attempts.
    """
    if rate is not None and rate.gather and not trial and _may_gather(connection, channel, now):
        rows = _overflow(connection, channel, rate, now)
        if rows:
            return [Unit(rows, together=True)]
    found: list[Unit] = []
    done: set[int] = set()
    for row in _next(connection, channel, may, now, probe=probe if trial else None):
        if row.id in done:
            continue
        unit = _unit(connection, row, now)
        # What an earlier one of its case holds up may leave nothing to say yet.
        if unit.rows and not done & {one.id for one in unit.rows}:
            done |= {one.id for one in unit.rows}
            found.append(unit)
    return found


def _unit(connection: sa.Connection, row: Any, now: float) -> Unit:
    if row.carried_by is not None:
        same = deliveries.c.carried_by == row.carried_by
        query = sa.select(deliveries).where(PENDING, same).order_by(deliveries.c.id)
        return Unit(list(connection.execute(query)), together=True)
    if row.digest is not None:
        same = (deliveries.c.digest == row.digest) & (deliveries.c.channel == row.channel)
        rows = _due(connection, now, QUEUED, same)
        return Unit(_unblocked(connection, row.channel, rows), together=True)
    return Unit([row], together=False)


def _next(
    connection: sa.Connection, channel: str, may: int, now: float, *, probe: int | None
) -> Sequence[Any]:
    query = (
        sa.select(deliveries)
        .where(WAITS_FIRST, deliveries.c.channel == channel, deliveries.c.due_at <= now)
        .with_for_update(skip_locked=True)
    )
    if probe is not None:
        found = connection.execute(query.where(deliveries.c.id == probe)).all()
        if found:
            return found
    order = deliveries.c.due_at, deliveries.c.id
    return connection.execute(query.order_by(*order).limit(may)).all()


def _may_gather(connection: sa.Connection, channel: str, now: float) -> bool:
    """Whether what has waited longest has no words of its own yet.

    What was tried before goes as it was, when its turn comes: neither may it lend its words to
    others, nor wait for ever behind what is gathered.
    """
    first = _next(connection, channel, 1, now, probe=None)
    return bool(first) and first[0].message_id is None and first[0].carried_by is None


def _overflow(connection: sa.Connection, channel: str, rate: Rate, now: float) -> list[Any]:
    """What is due, if it is more than the rate can carry in the time people have patience for."""
    most = max(3, int(PATIENCE / rate.interval))
    waits = (
        sa.select(deliveries.c.id)
        .where(QUEUED, deliveries.c.channel == channel, deliveries.c.due_at <= now)
        .limit(most + 1)
    )
    count = sa.select(sa.func.count()).select_from(waits.subquery())
    if connection.execute(count).scalar_one() <= most:
        return []
    return _waiting_together(connection, channel, now)


def _waiting_together(connection: sa.Connection, channel: str, now: float) -> list[Any]:
    """The first of all that is due on a channel.

    What is next and what is behind are asked for apart: so each answer is the beginning of an
    index, and not the whole queue sorted.
    """
    rows: list[Any] = []
    fresh = deliveries.c.message_id.is_(None)
    for turn in (WAITS_FIRST, WAITS_BEHIND):
        rows += _due(connection, now, turn, deliveries.c.channel == channel, fresh)
    return _unblocked(connection, channel, sorted(rows, key=lambda row: row.id)[:CARRY])


def _due(connection: sa.Connection, now: float, *chosen: sa.ColumnElement[bool]) -> Sequence[Any]:
    query = (
        sa.select(deliveries)
        .where(*chosen, deliveries.c.due_at <= now, deliveries.c.carried_by.is_(None))
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(CARRY)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(query).all()


def _unblocked(connection: sa.Connection, channel: str, given: Sequence[Any]) -> list[Any]:
    """Rows in order, without those that an earlier one of their case stands before.

    Earlier ones that are not among them are not due (retried, held, in hand): their case waits.
    """
    rows = sorted(given, key=lambda row: row.id)
    chosen = {row.id for row in rows}
    cases = {row.case_key for row in rows} - {None}
    first: dict[str, int] = {}
    if cases:
        query = sa.select(deliveries.c.id, deliveries.c.case_key).where(
            QUEUED,
            deliveries.c.case_key.in_(cases),
            deliveries.c.channel == channel,
            deliveries.c.id < rows[-1].id,
        )
        for other in connection.execute(query):
            if other.id not in chosen:
                first[other.case_key] = min(first.get(other.case_key, other.id), other.id)
    return [row for row in rows if first.get(row.case_key, row.id) >= row.id]
