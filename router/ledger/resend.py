"""Sending again: a new delivery, linked to the old one; history is never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from router.ledger.record import queue
from router.ledger.shapes import Resent
from router.ledger.tables import NewDelivery, deliveries
from router.ledger.turns import in_list, lock_cases

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from router.ledger.engine import Engine


def resend(
    connection: sa.Connection,
    engine: Engine,
    ids: Sequence[int],
    *,
    fresh_under: str | None,
    now: float,
) -> list[Resent]:
    """Write a new delivery for each of `ids`, due now; what went as one message goes as one again.

    It sends the stored words; with `fresh_under` (a ruleset's hash) they are rendered again under
    that ruleset. A delivery that still waits is left alone.
    """
    wanted = list(dict.fromkeys(ids))
    by_id = {row.id: row for row in _with_their_like(connection, wanted)}
    lock_cases(connection, engine, {row.case_key for row in by_id.values()})
    # Only now nobody else changes them.
    by_id = {row.id: row for row in _with_their_like(connection, wanted)}
    waiting = {row.carried_by for row in by_id.values() if row.state == "pending"} - {None}
    again = [
        row
        for _, row in sorted(by_id.items())
        if row.state != "pending" and row.carried_by not in waiting
    ]
    taken = engine.next_ids(connection, "deliveries", len(again))
    new_ids = {row.id: new for row, new in zip(again, taken, strict=True)}
    carriers: dict[int, int] = {}
    for row in again:
        if row.carried_by is not None:
            carriers.setdefault(row.carried_by, new_ids[row.id])
    rows = [_again(row, new_ids[row.id], carriers, fresh_under, now) for row in again]
    queue(connection, engine, rows)
    return [_answer(i, by_id.get(i), new_ids.get(i), again) for i in wanted]


def resent_among(
    connection: sa.Connection, engine: Engine, event_ids: Collection[int]
) -> dict[int, str]:
    """Which deliveries of these events were sent again, and the state of what was made last."""
    sql = "SELECT resend_of, id, state FROM deliveries WHERE resend_of IS NOT NULL AND event_id"
    found = sorted(in_list(connection, engine, sql, event_ids), key=lambda row: row.id)
    return {row.resend_of: row.state for row in found}


def _with_their_like(connection: sa.Connection, ids: Sequence[int]) -> list[Any]:
    """The deliveries, and those that went in one message with them."""
    query = sa.select(deliveries).where(deliveries.c.id.in_(ids))
    found = connection.execute(query).all()
    carriers = {row.carried_by for row in found} - {None}
    if not carriers:
        return list(found)
    like = sa.select(deliveries).where(deliveries.c.carried_by.in_(carriers))
    return [*found, *connection.execute(like)]


def _again(
    old: Any, new: int, carriers: dict[int, int], fresh_under: str | None, now: float
) -> NewDelivery:
    return NewDelivery(
        id=new,
        event_id=old.event_id,
        rule=old.rule,
        channel=old.channel,
        case_key=old.case_key,
        ruleset=old.ruleset if fresh_under is None else fresh_under,
        created_at=now,
        moment=now,
        due_at=now,
        message_id=old.message_id if fresh_under is None else None,
        resend_of=old.id,
        step=old.step,
        digest=old.digest if old.carried_by is not None else None,
        carried_by=None if old.carried_by is None else carriers[old.carried_by],
        held=old.held,
    )


def _answer(delivery: int, row: Any, new: int | None, again: Sequence[Any]) -> Resent:
    if row is None:
        return Resent(delivery, None, f"there is no delivery {delivery}")
    if new is None:
        return Resent(delivery, None, "it still waits to be sent")
    reason = f"sent again as delivery {new}"
    if row.carried_by is not None:
        together = sum(other.carried_by == row.carried_by for other in again)
        if together > 1:
            reason += f", one message with all {together} that it lists"
    return Resent(delivery, new, reason)
