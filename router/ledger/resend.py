"""Sending again: a new delivery, linked to the old one; history is never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from router.ledger.record import queue
from router.ledger.shapes import Resent
from router.ledger.tables import NewDelivery, deliveries
from router.ledger.turns import lock_cases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.ledger.engine import Engine


def resend(
    connection: sa.Connection,
    engine: Engine,
    ids: Sequence[int],
    *,
    fresh_under: str | None,
    now: float,
) -> list[Resent]:
    """Write a new delivery for each of `ids`, due now.

    It sends the stored words; with `fresh_under` (a ruleset's hash) they are rendered again under
    that ruleset. A delivery that still waits is left alone.
    """
    wanted = list(dict.fromkeys(ids))
    cases = sa.select(deliveries.c.case_key).where(deliveries.c.id.in_(wanted))
    lock_cases(connection, engine, set(connection.execute(cases).scalars()))
    found = connection.execute(sa.select(deliveries).where(deliveries.c.id.in_(wanted)))
    by_id = {row.id: row for row in found}
    again = [i for i in wanted if i in by_id and by_id[i].state != "pending"]
    new_ids = dict(zip(again, engine.next_ids(connection, "deliveries", len(again)), strict=True))
    rows = []
    for old_id, new in new_ids.items():
        old = by_id[old_id]
        rows.append(
            NewDelivery(
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
                resend_of=old_id,
                step=old.step,
            )
        )
    queue(connection, engine, rows)
    return [_answer(i, new_ids.get(i), known=i in by_id) for i in wanted]


def _answer(delivery: int, new: int | None, *, known: bool) -> Resent:
    if new is not None:
        return Resent(delivery, new, f"sent again as delivery {new}")
    if known:
        return Resent(delivery, None, "it still waits to be sent")
    return Resent(delivery, None, f"there is no delivery {delivery}")
