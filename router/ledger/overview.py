"""What operators look at: what waits on each channel, what is to be said later, what nobody heard.

Each answer is the beginning of an index, or as long as the backlog, never as the history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from router.ledger.tables import LATER, PENDING, WAITS_LATER, deliveries, events

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 10_000
"""Deliveries that are counted of a channel; of more it is said that they are more."""


class Waiting(msgspec.Struct, frozen=True):
    """What waits for a channel: how many are due or held, how many are for later (MOST at most:
    there may be more), and since when the oldest of the first waits."""

    queued: int = 0
    later: int = 0
    since: float | None = None


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is to be said at a moment (epoch seconds), unless it is cancelled before."""

    id: int
    event_id: int
    rule: str
    channel: str
    moment: float
    step: int
    created_at: float
    trigger: str | None
    case_ref: str | None


class TimerFilters(msgspec.Struct, frozen=True, kw_only=True):
    """What timers are narrowed by. `after` is a cursor: moment and id of the last one shown."""

    rule: str | None = None
    channel: str | None = None
    case: str | None = None
    after: tuple[float, int] | None = None
    limit: int = 50


class Gathering(msgspec.Struct, frozen=True):
    """Messages that are being collected for a digest, which closes at a moment."""

    rule: str
    channel: str
    closes: float
    number: int
    first_event: int


class Unheard(msgspec.Struct, frozen=True):
    """An event that no rule spoke about."""

    id: int
    received_at: float
    source: str
    trigger: str | None
    case_ref: str | None


def list_waiting(connection: sa.Connection, channels: Sequence[str]) -> dict[str, Waiting]:
    """What waits for each of these channels."""
    return {name: _waiting(connection, name) for name in channels}


def list_timers(connection: sa.Connection, filters: TimerFilters) -> list[Timer]:
    """What is to be said later, the soonest first."""
    order = (deliveries.c.due_at, deliveries.c.id)
    query = (
        sa.select(deliveries, events.c.trigger, events.c.case_ref)
        .join(events, events.c.id == deliveries.c.event_id)
        .where(WAITS_LATER, *_clauses(filters))
        .order_by(*order)
        .limit(filters.limit)
    )
    if filters.after is not None:
        at, number = filters.after
        query = query.where(
            (deliveries.c.due_at > at) | ((deliveries.c.due_at == at) & (deliveries.c.id > number)),
            deliveries.c.due_at >= at,
        )
    return [_timer(row) for row in connection.execute(query)]


def find_timers(connection: sa.Connection, filters: TimerFilters, most: int) -> list[int]:
    """The ids of what is to be said later, `most` at most."""
    query = (
        sa.select(deliveries.c.id)
        .join(events, events.c.id == deliveries.c.event_id)
        .where(WAITS_LATER, *_clauses(filters))
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(most)
    )
    return list(connection.execute(query).scalars())


def list_digests(connection: sa.Connection, limit: int) -> list[Gathering]:
    """What is being collected, what closes first at the front (of the first MOST deliveries)."""
    listed = (
        sa.select(deliveries)
        .where(PENDING, deliveries.c.digest.is_not(None), deliveries.c.carried_by.is_(None))
        .limit(MOST)
        .subquery()
    )
    of = listed.c
    closes = sa.func.min(of.due_at)
    query = (
        sa.select(of.rule, of.channel, closes, sa.func.count(), sa.func.min(of.event_id))
        .group_by(of.digest, of.rule, of.channel)
        .order_by(closes, of.rule, of.channel)
        .limit(limit)
    )
    return [Gathering(*row) for row in connection.execute(query)]


def list_unheard(connection: sa.Connection, limit: int) -> list[Unheard]:
    """The latest events that no rule spoke about."""
    query = (
        sa.select(events)
        .where(events.c.matched == sa.text("0"), sa.text("rejected IS NULL"))
        .order_by(events.c.id.desc())
        .limit(limit)
    )
    return [
        Unheard(row.id, row.received_at, row.source, row.trigger, row.case_ref)
        for row in connection.execute(query)
    ]


def _waiting(connection: sa.Connection, channel: str) -> Waiting:
    here = (PENDING, deliveries.c.channel == channel)
    queued = (*here, deliveries.c.turn > LATER)
    found = sa.select(deliveries.c.id).where(*queued).limit(MOST).subquery()
    number, first = connection.execute(sa.select(sa.func.count(), sa.func.min(found.c.id))).one()
    later = sa.select(deliveries.c.id).where(*here, deliveries.c.turn == LATER).limit(MOST)
    count = connection.execute(sa.select(sa.func.count()).select_from(later.subquery()))
    since = None
    if first is not None:
        created = sa.select(deliveries.c.created_at).where(deliveries.c.id == first)
        since = connection.execute(created).scalar()
    return Waiting(number, count.scalar_one(), since)


def _clauses(filters: TimerFilters) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if filters.rule is not None:
        found.append(deliveries.c.rule == filters.rule)
    if filters.channel is not None:
        found.append(deliveries.c.channel == filters.channel)
    if filters.case is not None:
        found.append(
            (events.c.case_ref == filters.case)
            | (events.c.case_key == events.c.source + ":" + filters.case)
        )
    return found


def _timer(row: Any) -> Timer:
    return Timer(
        id=row.id,
        event_id=row.event_id,
        rule=row.rule,
        channel=row.channel,
        moment=row.due_at,
        step=row.step,
        created_at=row.created_at,
        trigger=row.trigger,
        case_ref=row.case_ref,
    )
