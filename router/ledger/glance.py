"""What the pages ask besides lists: has anything changed, what failed, what went together."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import sqlalchemy as sa

from router.ledger.find import LOOK, find_deliveries, find_events
from router.ledger.read import deliveries_among, events_among, list_deliveries, list_events
from router.ledger.shapes import DeliveryRow, EventRow, Filters, Listing, Member
from router.ledger.tables import FAILED, deliveries, events, lanes, mutes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.ledger.desk import Use
    from router.ledger.find import Found


NEWEST_FAILED = 50
"""Failed deliveries that are looked at for those that nobody took care of."""


class Glance:
    """The ledger as a page looks at it: quick however long the history is."""

    def __init__(self, read: Use, now: Callable[[], float]) -> None:
        self._read = read
        self._now = now

    def events(self, filters: Filters) -> Listing[EventRow]:
        """Events as the filters want them, found by one look; it says how far back that was."""
        return self._read(lambda c: list_events(c, filters, LOOK))

    def deliveries(self, filters: Filters) -> Listing[DeliveryRow]:
        """Deliveries, in the same way."""
        return self._read(lambda c: list_deliveries(c, filters, LOOK))

    def chosen(self, filters: Filters) -> tuple[int, ...]:
        """Ids of all deliveries that meet the filters, up to their limit, wherever they are."""
        return self._read(lambda c: find_deliveries(c, filters, None)).ids

    def among(self, ids: Sequence[int]) -> list[DeliveryRow]:
        """These deliveries, newest first."""
        return self._read(lambda c: deliveries_among(c, ids))

    def mark(self, filters: Filters) -> str:
        """A text that stays the same as long as a page of events would show the same."""
        return self._read(
            lambda c: _mark(c, find_events(c, filters), deliveries.c.event_id, self._now())
        )

    def mark_deliveries(self, filters: Filters) -> str:
        """The same for a page of deliveries."""
        return self._read(
            lambda c: _mark(c, find_deliveries(c, filters), deliveries.c.id, self._now())
        )

    def unsettled(self, since: float, most: int) -> list[DeliveryRow]:
        """The newest deliveries that failed since a moment, but for those that were sent again or
        told to a fallback."""
        return self._read(lambda c: _unsettled(c, since, most))

    def sent_again(self, ids: Sequence[int], since: float) -> set[int]:
        """Those of these deliveries that were sent again since a moment."""
        return self._read(lambda c: _sent_again(c, ids, since))

    def of_case(self, row: EventRow, most: int) -> Listing[EventRow]:
        """The events of the same case from the same source, around one, newest first."""
        return self._read(lambda c: _of_case(c, row, most))

    def members(self, carriers: Sequence[int], most: int) -> dict[int, list[Member]]:
        """What the messages of these deliveries list, where they list several."""
        return self._read(lambda c: _members(c, carriers, most))


def _mark(connection: sa.Connection, found: Found, own: sa.Column[int], now: float) -> str:
    due = (deliveries.c.due_at <= now).label("due")
    shown = sa.select(*_SHOWN, due).where(own.in_(found.ids))
    newest = sa.select(sa.func.max(deliveries.c.id))
    queries = (shown.order_by(deliveries.c.id), _NEWEST_FAILED, newest, _LANES, _MUTES)
    seen = [[tuple(row) for row in connection.execute(query)] for query in queries]
    return hashlib.sha256(repr((found, seen)).encode()).hexdigest()[:24]


def _unsettled(connection: sa.Connection, since: float, most: int) -> list[DeliveryRow]:
    failed = connection.execute(
        sa.select(deliveries.c.id, deliveries.c.event_id).where(
            deliveries.c.id.in_(_NEWEST_FAILED), deliveries.c.ended_at >= since
        )
    ).all()
    again, instead = deliveries.c.resend_of, deliveries.c.fallback_of
    later = sa.select(again, instead).where(
        deliveries.c.event_id.in_({row.event_id for row in failed}),
        sa.or_(again.is_not(None), instead.is_not(None)),
        deliveries.c.state.in_(("sent", "pending")),
    )
    settled = {one for row in connection.execute(later) for one in row}
    left = sorted((row.id for row in failed if row.id not in settled), reverse=True)
    return deliveries_among(connection, left[:most])


def _sent_again(connection: sa.Connection, ids: Sequence[int], since: float) -> set[int]:
    theirs = sa.select(deliveries.c.event_id).where(deliveries.c.id.in_(ids))
    query = sa.select(deliveries.c.resend_of).where(
        deliveries.c.event_id.in_(theirs),
        deliveries.c.resend_of.in_(ids),
        deliveries.c.created_at >= since,
    )
    return set(connection.execute(query).scalars())


def _of_case(connection: sa.Connection, row: EventRow, most: int) -> Listing[EventRow]:
    own = events.c.id
    theirs = sa.select(own).where(events.c.case_ref == row.case_ref, events.c.source == row.source)
    later = theirs.where(own > row.id).order_by(own).limit(most // 2)
    earlier = theirs.where(own <= row.id).order_by(own.desc()).limit(most // 2 + 1)
    ids = [*connection.execute(later).scalars(), *connection.execute(earlier).scalars()]
    more = len(ids) > most
    return Listing(events_among(connection, ids), row.id if more else None)


def _members(
    connection: sa.Connection, carriers: Sequence[int], most: int
) -> dict[int, list[Member]]:
    found: dict[int, list[Member]] = {}
    columns = deliveries.c.id, deliveries.c.event_id, events.c.case_ref
    for carrier in carriers:
        query = (
            sa.select(*columns)
            .join(events, events.c.id == deliveries.c.event_id)
            .where(deliveries.c.carried_by == carrier)
            .order_by(deliveries.c.id)
            .limit(most)
        )
        found[carrier] = [Member(*row) for row in connection.execute(query)]
    return found


_NEWEST_FAILED = (
    sa.select(deliveries.c.id).where(FAILED).order_by(deliveries.c.id.desc()).limit(NEWEST_FAILED)
)
_SHOWN = [
    deliveries.c[name] for name in ("id", "state", "attempt", "due_at", "owner", "unsure", "reason")
]
_LANES = sa.select(
    lanes.c.channel,
    lanes.c.failures,
    lanes.c.failing_since,
    lanes.c.rests_until,
    lanes.c.error,
    lanes.c.paused_at,
).order_by(lanes.c.channel)
_MUTES = sa.select(mutes.c.id, mutes.c.until, mutes.c.held).where(mutes.c.ended_at.is_(None))
