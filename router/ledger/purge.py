"""Purging: history that is older than it is kept for goes, in small steps."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from router.ledger.backtests import forget_backtests
from router.ledger.tables import attempts, deliveries, events, memory, messages, mutes
from router.ledger.tallies import forget_tallies

STEP = 200
"""Events that one transaction looks at, so that accepts do not wait long behind it."""


class Purged(NamedTuple):
    """How many events went, and up to which id was looked (0: nothing older is left)."""

    number: int
    looked: int


def purge(connection: sa.Connection, before: float, after: int) -> Purged:
    """Delete the oldest events received before a moment, with all that belongs to them.

    An event with a delivery that still waits stays. Only events with ids above `after` are
    looked at, so that those that stay are passed over.
    """
    oldest = (
        sa.select(events.c.id, events.c.received_at)
        .where(events.c.id > after)
        .order_by(events.c.id)
        .limit(STEP)
    )
    found = [row.id for row in connection.execute(oldest) if row.received_at < before]
    if not found:
        return Purged(0, 0)
    waits = sa.select(deliveries.c.event_id).where(
        deliveries.c.event_id.in_(found), deliveries.c.state == sa.text("'pending'")
    )
    gone = set(found) - set(connection.execute(waits).scalars())
    rows = connection.execute(
        sa.select(deliveries.c.id, deliveries.c.message_id, deliveries.c.carried_by).where(
            deliveries.c.event_id.in_(gone)
        )
    ).all()
    ids = [row.id for row in rows]
    connection.execute(attempts.delete().where(attempts.c.delivery_id.in_(ids)))
    connection.execute(deliveries.delete().where(deliveries.c.id.in_(ids)))
    connection.execute(events.delete().where(events.c.id.in_(gone)))
    # A digest's words belong to deliveries of many events: they go with the last of these.
    carried = {row.carried_by for row in rows} - {None}
    left = sa.select(deliveries.c.carried_by).where(deliveries.c.carried_by.in_(carried))
    still = set(connection.execute(left).scalars()) if carried else set()
    words = {row.message_id for row in rows if row.carried_by not in still} - {None}
    connection.execute(messages.delete().where(messages.c.id.in_(words)))
    return Purged(len(gone), found[-1])


def forget(connection: sa.Connection, now: float) -> None:
    """Delete what is remembered under keys that do not count any more."""
    over = sa.select(memory.c.key).where(memory.c.until < now).limit(STEP)
    connection.execute(memory.delete().where(memory.c.key.in_(over)))
    connection.execute(mutes.delete().where(mutes.c.ended_at < now - 365 * 86400.0))
    forget_tallies(connection, now)
    forget_backtests(connection, now)
