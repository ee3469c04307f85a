"""Reading the ledger for people: lists, newest first, and single events and deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from router.ledger.find import Found, find_deliveries, find_events
from router.ledger.shapes import AttemptRow, DeliveryRow, EventRow, Filters, Listing
from router.ledger.tables import attempts, deliveries, events, messages, rulesets, threads
from router.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

LIGHT = 65_536
"""Bytes of a body that is read for a list."""


def list_events(
    connection: sa.Connection, filters: Filters, look: int | None = None
) -> Listing[EventRow]:
    """Events that meet the filters, newest first, with their deliveries (without attempts).

    With `look` only so many are looked through, and bodies that are no light reading are left out.
    """
    found = find_events(connection, filters, look)
    return Listing(
        events_among(connection, found.ids, light=look is not None),
        found.further,
        _back_to(connection, events.c.id, events.c.received_at, found, filters),
    )


def list_deliveries(
    connection: sa.Connection, filters: Filters, look: int | None = None
) -> Listing[DeliveryRow]:
    """Deliveries that meet the filters, newest first, with their words (without attempts)."""
    found = find_deliveries(connection, filters, look)
    return Listing(
        tuple(deliveries_among(connection, found.ids)),
        found.further,
        _back_to(connection, deliveries.c.id, deliveries.c.created_at, found, filters),
    )


def events_among(
    connection: sa.Connection, ids: Sequence[int], *, light: bool = True
) -> tuple[EventRow, ...]:
    """These events, newest first; if `light`, bodies that are no light reading are left out."""
    columns: list[Any] = list(events.c)
    if light:
        body = sa.case((sa.func.length(events.c.body) <= LIGHT, events.c.body), else_=b"")
        columns[list(events.c).index(events.c.body)] = body.label("body")
    query = sa.select(*columns).where(events.c.id.in_(ids)).order_by(events.c.id.desc())
    rows = connection.execute(query).all()
    theirs = _deliveries_of(connection, [row.id for row in rows])
    return tuple(_event_row(row, theirs.get(row.id, [])) for row in rows)


def deliveries_among(connection: sa.Connection, ids: Sequence[int]) -> list[DeliveryRow]:
    """These deliveries, newest first, with their words (without attempts)."""
    query = _DELIVERIES.where(deliveries.c.id.in_(ids)).order_by(deliveries.c.id.desc())
    return [_delivery_row(row, ()) for row in connection.execute(query)]


def with_attempts(
    connection: sa.Connection, found: Sequence[DeliveryRow]
) -> tuple[DeliveryRow, ...]:
    """The same deliveries, with every attempt."""
    tries = _attempts_of(connection, found)
    return tuple(
        msgspec.structs.replace(row, attempts=tuple(tries.get(row.carried_by or row.id, ())))
        for row in found
    )


def find_event(connection: sa.Connection, event_id: int) -> EventRow | None:
    """One event with its deliveries, their words and every attempt; None if there is none."""
    row = connection.execute(sa.select(events).where(events.c.id == event_id)).first()
    if row is None:
        return None
    found = _deliveries_of(connection, [event_id], with_attempts=True)
    return _event_row(row, found.get(event_id, []))


def find_delivery(connection: sa.Connection, delivery_id: int) -> DeliveryRow | None:
    """One delivery with its words and every attempt; None if there is none."""
    query = sa.select(deliveries.c.event_id).where(deliveries.c.id == delivery_id)
    event_id = connection.execute(query).scalar()
    if event_id is None:
        return None
    found = _deliveries_of(connection, [event_id], with_attempts=True)
    return next((row for row in found[event_id] if row.id == delivery_id), None)


def find_ruleset(connection: sa.Connection, hash_: str) -> dict[str, str] | None:
    """The files of a kept ruleset, by name; None if it is not known."""
    query = sa.select(rulesets.c.files).where(rulesets.c.hash == hash_)
    text = connection.execute(query).scalar()
    return None if text is None else msgspec.json.decode(text, type=dict[str, str])


def find_thread(connection: sa.Connection, channel: str, case_key: str) -> str | None:
    """What the far end of a channel calls the thread of a case; None before it told."""
    query = sa.select(threads.c.reference).where(
        threads.c.channel == channel, threads.c.case_key == case_key
    )
    reference: str | None = connection.execute(query).scalar()
    return reference


def count_pending(connection: sa.Connection) -> dict[str, int]:
    """How many deliveries wait, by channel."""
    query = (
        sa.select(deliveries.c.channel, sa.func.count())
        .where(deliveries.c.state == sa.text("'pending'"))
        .group_by(deliveries.c.channel)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _back_to(
    connection: sa.Connection,
    own: sa.Column[int],
    at: sa.Column[float],
    found: Found,
    filters: Filters,
) -> float | None:
    """How far back a look reached that ended before the list was full."""
    if found.further is None or len(found.ids) == filters.limit:
        return None
    query = sa.select(at).where(own >= found.further).order_by(own).limit(1)
    back_to: float | None = connection.execute(query).scalar()
    return back_to


def _deliveries_of(
    connection: sa.Connection, event_ids: Sequence[int], *, with_attempts: bool = False
) -> dict[int, list[DeliveryRow]]:
    query = _DELIVERIES.where(deliveries.c.event_id.in_(event_ids)).order_by(deliveries.c.id)
    rows = connection.execute(query).all()
    tries = _attempts_of(connection, rows) if with_attempts else {}
    found: dict[int, list[DeliveryRow]] = {}
    for row in rows:
        found.setdefault(row.event_id, []).append(
            _delivery_row(row, tuple(tries.get(row.carried_by or row.id, ())))
        )
    return found


def _attempts_of(connection: sa.Connection, rows: Sequence[Any]) -> dict[int, list[AttemptRow]]:
    """Every attempt of these deliveries, by the delivery whose message carried them."""
    carriers = {row.carried_by or row.id for row in rows}
    wanted = sa.select(attempts).where(attempts.c.delivery_id.in_(carriers))
    found: dict[int, list[AttemptRow]] = {}
    for row in connection.execute(wanted.order_by(attempts.c.number)):
        found.setdefault(row.delivery_id, []).append(_attempt_row(row))
    return found


def _event_row(row: Any, found: Sequence[DeliveryRow]) -> EventRow:
    return EventRow(
        id=row.id,
        received_at=row.received_at,
        source=row.source,
        trigger=row.trigger,
        case_ref=row.case_ref,
        body=bytes(row.body),
        ruleset=row.ruleset,
        matched=row.matched,
        rejected=row.rejected,
        deliveries=tuple(found),
    )


def _delivery_row(row: Any, tries: tuple[AttemptRow, ...]) -> DeliveryRow:
    content = row.content
    return DeliveryRow(
        id=row.id,
        event_id=row.event_id,
        rule=row.rule,
        channel=row.channel,
        state=row.state,
        reason=row.reason,
        created_at=row.created_at,
        due_at=row.due_at,
        ended_at=row.ended_at,
        attempt=row.attempt,
        unsure=row.unsure,
        ruleset=row.ruleset,
        in_hand=row.owner is not None,
        resend_of=row.resend_of,
        fallback_of=row.fallback_of,
        carried_by=row.carried_by,
        step=row.step,
        later=row.turn == 0,
        trigger=row.trigger,
        case_ref=row.case_ref,
        message=None if content is None else msgspec.json.decode(content, type=Message),
        attempts=tries,
    )


def _attempt_row(row: Any) -> AttemptRow:
    captured = None if row.captured is None else msgspec.json.decode(row.captured)
    return AttemptRow(
        row.number, row.at, row.elapsed, row.outcome, row.status, row.detail, captured
    )


_DELIVERIES = (
    sa.select(deliveries, events.c.trigger, events.c.case_ref, messages.c.content)
    .join(events, events.c.id == deliveries.c.event_id)
    .join(messages, messages.c.id == deliveries.c.message_id, isouter=True)
)
