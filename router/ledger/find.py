"""Finding what a list shows, newest first, in a time that does not grow with the history.

A list is walked along the index that leads to its rows quickest. What no index leads to is looked
for among the newest so many; how far back that reached is part of the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from router.ledger.shapes import Filters
from router.ledger.tables import FAILED, PENDING, UNSAID, deliveries, events

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOK = 10_000
"""Rows that one look goes through at most, where they lie side by side."""
APART = 5
"""Rows that an index leads to lie apart: so many times fewer are looked at."""
SLACK = 3600.0
"""Seconds that times may be out of the order of ids: clocks are set back, replicas disagree."""

Clause = sa.ColumnElement[bool]
_LEADS = {"failed": FAILED, "suppressed": UNSAID, "cancelled": UNSAID}


class Found(msgspec.Struct, frozen=True):
    """The ids that were found, newest first; `further` is the cursor to look on from, or None if
    nothing is older."""

    ids: tuple[int, ...]
    further: int | None = None


def find_events(connection: sa.Connection, filters: Filters, look: int | None = LOOK) -> Found:
    """The ids of events that meet the filters; without `look`, however far back they are."""
    about = [*_about(filters), *_between(events.c.received_at, filters)]
    told = _told(filters)
    low, high = _bounds(connection, events.c.id, events.c.received_at, filters)
    walk = _Walk(connection, filters.limit, look, low, high)
    known = _by_ref(connection, filters.case)
    if known is not None:
        if told:
            about.append(sa.exists().where(deliveries.c.event_id == events.c.id, *told))
        return walk.along(events.c.id, about, lead=known)
    if not told:
        return walk.along(events.c.id, about)
    if about:
        told.append(sa.exists().where(events.c.id == deliveries.c.event_id, *about))
    if filters.state == "pending":
        return walk.all(deliveries.c.event_id, [PENDING, *told])
    lead = FAILED if filters.state == "failed" else None
    return walk.along(deliveries.c.event_id, told, lead=lead)


def find_deliveries(connection: sa.Connection, filters: Filters, look: int | None = LOOK) -> Found:
    """The ids of deliveries that meet the filters; without `look`, however far back they are."""
    about = _about(filters)
    clauses = [*_told(filters), *_between(deliveries.c.created_at, filters)]
    low, high = _bounds(connection, deliveries.c.id, deliveries.c.created_at, filters)
    walk = _Walk(connection, filters.limit, look, low, high)
    known = _by_ref(connection, filters.case)
    if known is not None:
        clauses.append(deliveries.c.event_id.in_(sa.select(events.c.id).where(known, *about)))
        return walk.all(deliveries.c.id, clauses)
    if about:
        clauses.append(sa.exists().where(events.c.id == deliveries.c.event_id, *about))
    if filters.state == "pending":
        return walk.all(deliveries.c.id, [PENDING, *clauses])
    return walk.along(deliveries.c.id, clauses, lead=_LEADS.get(filters.state or ""))


def _by_ref(connection: sa.Connection, case: str | None) -> Clause | None:
    """A case by the id that people use, if there is such a case: an index leads to its events."""
    known = events.c.case_ref == case
    if case is None or not connection.execute(sa.select(events.c.id).where(known).limit(1)).first():
        return None
    return known


def _about(filters: Filters) -> list[Clause]:
    """What the filters ask of an event, but for its time.

    A case stands here by its internal id, which people do not see and no index leads to.
    """
    clauses: list[Clause] = []
    if filters.case is not None:
        internal = events.c.source + ":" + filters.case
        clauses.append((events.c.case_ref == filters.case) | (events.c.case_key == internal))
    if filters.trigger is not None:
        clauses.append(events.c.trigger == filters.trigger)
    if filters.source is not None:
        clauses.append(events.c.source == filters.source)
    if filters.q is not None:
        clauses.append(events.c.words.contains(filters.q.lower(), autoescape=True))
    return clauses


def _told(filters: Filters) -> list[Clause]:
    """What the filters ask of a delivery, but for its time."""
    given = {
        deliveries.c.state: filters.state,
        deliveries.c.channel: filters.channel,
        deliveries.c.rule: filters.rule,
    }
    return [column == value for column, value in given.items() if value is not None]


def _between(at: sa.Column[float], filters: Filters) -> list[Clause]:
    after = [] if filters.since is None else [at >= filters.since]
    return after if filters.until is None else [*after, at < filters.until]


class _Walk:
    """The way back through ids, from below `high` down to `low`."""

    def __init__(
        self, connection: sa.Connection, limit: int, look: int | None, low: int, high: int
    ) -> None:
        self._connection = connection
        self._limit = limit
        self._look = look
        self._low = low
        self._high = high

    def along(
        self, column: sa.Column[int], clauses: Sequence[Clause], *, lead: Clause | None = None
    ) -> Found:
        """Walk along a column that an index has in order; `lead` is what the index is a part of."""
        leads = () if lead is None else (lead,)
        floor = self._floor(column, leads)
        here = column >= floor, column < self._high
        query = sa.select(column).where(*here, *leads, *clauses).order_by(column.desc())
        if column is deliveries.c.event_id:
            query = query.distinct()
        return self._found(query, floor if floor > self._low else None)

    def all(self, column: sa.Column[int], clauses: Sequence[Clause]) -> Found:
        """Find deliveries that are few enough to be put in order once they are found."""
        own = column + 0  # so that nobody walks along all ids instead
        query = sa.select(own).where(own < self._high, own >= self._low, *clauses).distinct()
        return self._found(query.order_by(own.desc()), None)

    def _floor(self, column: sa.Column[int], leads: Sequence[Clause]) -> int:
        if self._look is None:
            return self._low
        if not leads:
            return max(self._low, self._high - self._look)
        query = sa.select(column).where(*leads, column < self._high, column >= self._low)
        query = query.order_by(column.desc()).offset(self._look // APART - 1).limit(1)
        return self._connection.execute(query).scalar() or self._low

    def _found(self, query: sa.Select[Any], further: int | None) -> Found:
        ids = tuple(self._connection.execute(query.limit(self._limit + 1)).scalars())
        if len(ids) > self._limit:
            return Found(ids[: self._limit], ids[self._limit - 1])
        return Found(ids, further)


def _bounds(
    connection: sa.Connection, own: sa.Column[int], at: sa.Column[float], filters: Filters
) -> tuple[int, int]:
    """The ids between which the filters' time and cursor lie: the lowest, and one past the last."""
    low = connection.execute(sa.select(sa.func.min(own))).scalar() or 0
    past = (connection.execute(sa.select(sa.func.max(own))).scalar() or 0) + 1
    high = past if filters.before is None else min(filters.before, past)
    if filters.since is not None:
        low = _first_at(connection, own, at, filters.since - SLACK, low, high)
    if filters.until is not None:
        high = _first_at(connection, own, at, filters.until + SLACK, low, high)
    return low, high


def _first_at(
    connection: sa.Connection,
    own: sa.Column[int],
    at: sa.Column[float],
    moment: float,
    low: int,
    high: int,
) -> int:
    """The first id from that moment on: ids rise with time, so no index over times is needed."""
    while low < high:
        middle = (low + high) // 2
        query = sa.select(at).where(own >= middle).order_by(own).limit(1)
        found = connection.execute(query).scalar()
        if found is None or found >= moment:
            high = middle
        else:
            low = middle + 1
    return low
