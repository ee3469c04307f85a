"""Cancelling what waits: it is not sent, and says who did not want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from router.ledger.people_shapes import Cancelled
from router.ledger.tables import PENDING, deliveries
from router.ledger.turns import lock_cases, promote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.ledger.engine import Engine


def cancel(
    connection: sa.Connection, engine: Engine, ids: Sequence[int], *, author: str, now: float
) -> list[Cancelled]:
    """Cancel those of `ids` that wait; what stands behind them has its turn.

    What somebody has in hand, or has put in a message with others, is on its way: it is left
    alone, and the answer says so. No fallback is told.
    """
    wanted = list(dict.fromkeys(ids))
    listed = deliveries.c.id.in_(wanted)
    cases = sa.select(deliveries.c.case_key).where(listed)
    lock_cases(connection, engine, set(connection.execute(cases).scalars()))
    free = (listed, PENDING, deliveries.c.owner.is_(None), deliveries.c.carried_by.is_(None))
    reason = f"cancelled by {author}"
    values = {"state": "cancelled", "reason": reason, "ended_at": now}
    change = deliveries.update().where(*free).values(**values).returning(deliveries)
    gone = {row.id: row for row in connection.execute(change)}
    promote(
        connection,
        engine,
        {(row.channel, row.case_key) for row in gone.values() if row.case_key is not None},
    )
    left = connection.execute(sa.select(deliveries.c.id, deliveries.c.state).where(listed))
    states: dict[int, str] = {row.id: row.state for row in left}
    return [
        Cancelled(i, done=i in gone, reason=reason if i in gone else _why_not(i, states.get(i)))
        for i in wanted
    ]


def _why_not(delivery: int, state: str | None) -> str:
    if state is None:
        return f"there is no delivery {delivery}"
    if state == "pending":
        return "it is being sent, or is part of a message that is"
    return f"it is {state} already"
