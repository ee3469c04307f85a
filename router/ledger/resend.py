"""Sending again: a new delivery, linked to the old one; history is never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from router.ledger.shapes import Resent
from router.ledger.tables import deliveries, delivery_row

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
    found = connection.execute(sa.select(deliveries).where(deliveries.c.id.in_(wanted)))
    by_id = {row.id: row for row in found}
    again = [i for i in wanted if i in by_id and by_id[i].state != "pending"]
    new_ids = dict(zip(again, engine.next_ids(connection, "deliveries", len(again)), strict=True))
    rows = []
    for old_id, new in new_ids.items():
        old = by_id[old_id]
        ruleset, words = (old.ruleset, old.message_id)
        if fresh_under is not None:
            ruleset, words = (fresh_under, None)
        row = (new, old.event_id, old.rule, old.channel, old.case_key, ruleset, now)
        rows.append(delivery_row(*row, message_id=words, resend_of=old_id))
    engine.insert(connection, deliveries, rows)
    return [_answer(i, new_ids.get(i), known=i in by_id) for i in wanted]


def fail_removed(
    connection: sa.Connection, channels: Sequence[str], reason: str, now: float
) -> int:
    """Fail what waits for a channel that is not one of `channels`; returns how many."""
    waits = (
        deliveries.c.state == "pending",
        deliveries.c.owner.is_(None),
        deliveries.c.channel.not_in(channels),
    )
    values = {"state": "failed", "reason": reason, "ended_at": now}
    return connection.execute(deliveries.update().where(*waits).values(**values)).rowcount


def _answer(delivery: int, new: int | None, *, known: bool) -> Resent:
    if new is not None:
        return Resent(delivery, new, f"sent again as delivery {new}")
    if known:
        return Resent(delivery, None, "it still waits to be sent")
    return Resent(delivery, None, f"there is no delivery {delivery}")
