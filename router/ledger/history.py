"""Reading the history as a whole: counts of what was said, and every event of a window in order."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import sqlalchemy as sa

from router.event import OWN, Event, Undecodable, decode
from router.ledger.tables import deliveries, events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from router.ledger.engine import Engine

T = TypeVar("T")

PAGE = 2000
"""Events that are read at once."""


class Spoken(msgspec.Struct, frozen=True):
    """What was received and said since a moment.

    Events by source; events that a rule spoke about, by source and rule; deliveries (but for
    those sent again and fallbacks) by rule and channel.
    """

    received: dict[str, int]
    spoke: dict[tuple[str, str], int]
    told: dict[tuple[str, str], int]


class Span(msgspec.Struct, frozen=True):
    """A window of the history: how many events it holds, from which id, and when they came."""

    number: int
    first: int
    began: float
    ended: float


class History:
    """All that happened, read in short steps of their own, which no writer waits for.

    Raises LedgerUnavailable when the database does not answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def spoken(self, since: float) -> Spoken:
        """How much was received and said about events since a moment."""
        return self._read(lambda connection: _spoken(connection, since))

    def span(self, since: float, until: float | None = None) -> Span | None:
        """What a window holds that rules were asked about; None if it holds nothing."""
        query = sa.select(
            sa.func.count(),
            sa.func.min(events.c.id),
            sa.func.min(events.c.received_at),
            sa.func.max(events.c.received_at),
        ).where(*_window(since, until))
        number, first, began, ended = self._read(lambda c: tuple(c.execute(query).one()))
        return Span(number, first, began, ended) if number else None

    def events(self, span: Span) -> Iterator[Event]:
        """The events of a window in the order of their ids: that in which rules were asked."""
        after = span.first - 1
        window = _window(span.began, span.ended)
        while True:
            query = (
                sa.select(events.c.id, events.c.source, events.c.received_at, events.c.body)
                .where(events.c.id > after, *window)
                .order_by(events.c.id)
                .limit(PAGE)
            )
            rows = self._read(partial(_all, query))
            if not rows:
                return
            yield from _decoded(rows)
            after = rows[-1][0]

    def _read(self, function: Callable[[sa.Connection], T]) -> T:
        return self._engine.read(function, self._engine.history)


def _all(query: sa.Select[Any], connection: sa.Connection) -> Sequence[Any]:
    return connection.execute(query).all()


def _spoken(connection: sa.Connection, since: float) -> Spoken:
    recent = events.c.received_at >= since
    received = sa.select(events.c.source, sa.func.count()).where(recent).group_by(events.c.source)
    firsthand = sa.and_(deliveries.c.resend_of.is_(None), deliveries.c.fallback_of.is_(None))
    both = sa.join(deliveries, events, events.c.id == deliveries.c.event_id)
    by_source = (events.c.source, deliveries.c.rule)
    spoke = (
        sa.select(*by_source, sa.func.count(sa.distinct(deliveries.c.event_id)))
        .select_from(both)
        .where(recent, firsthand)
        .group_by(*by_source)
    )
    by_channel = (deliveries.c.rule, deliveries.c.channel)
    told = (
        sa.select(*by_channel, sa.func.count())
        .select_from(both)
        .where(recent, firsthand)
        .group_by(*by_channel)
    )
    return Spoken(
        {row[0]: row[1] for row in connection.execute(received)},
        {(row[0], row[1]): row[2] for row in connection.execute(spoke)},
        {(row[0], row[1]): row[2] for row in connection.execute(told)},
    )


def _window(since: float, until: float | None) -> list[sa.ColumnElement[bool]]:
    clauses = [
        events.c.received_at >= since,
        events.c.rejected.is_(None),
        events.c.source != OWN,
    ]
    return clauses if until is None else [*clauses, events.c.received_at <= until]


def _decoded(rows: Any) -> Iterator[Event]:
    for number, source, received_at, body in rows:
        raw = bytes(body)
        try:
            yield Event(number, source, received_at, raw, decode(raw))
        except Undecodable:
            # An older decoder took it; no rule could be asked about it now.
            continue
