"""Whose turn it is: one case's deliveries go to one channel in the order of their events.

Of the pending deliveries of one case on one channel, at most one is NEXT and may be claimed; the
others are BEHIND it. So a claim looks only at what it can take, however long the queue behind is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

from router.ledger.tables import BEHIND, NEXT, deliveries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import sqlalchemy as sa

    from router.ledger.engine import Engine

Pair = tuple[str, str]
"""A channel and a case."""


def lock_cases(connection: sa.Connection, engine: Engine, keys: Collection[str | None]) -> None:
    """Keep other processes from changing whose turn it is for these cases, until the commit.

    SQLite has one writer at a time; PostgreSQL takes an advisory lock per case, in one order.
    """
    wanted = sorted({crc32(key.encode()) for key in keys if key is not None})
    if wanted and not engine.sqlite:
        # Two numbers: a space of its own beside the slots' and the migrations' locks.
        sql = "SELECT pg_advisory_xact_lock(1667330405, k::int4) FROM unnest(%s::int8[]) AS v(k)"
        connection.exec_driver_sql(sql, ([key - 2**31 for key in wanted],)).all()


def waiting(connection: sa.Connection, engine: Engine, keys: Collection[str]) -> list[Any]:
    """Every pending delivery of these cases: id, channel, case_key, rule, turn, free.

    `free` is whether it can still be cancelled: nobody has it in hand or has put it in a message
    with others.
    """
    if not keys:
        return []
    sql = (
        "SELECT id, channel, case_key, rule, turn, owner IS NULL AND carried_by IS NULL AS free"
        " FROM deliveries WHERE state = 'pending' AND case_key "
    )
    return list(in_list(connection, engine, sql, keys))


def in_list(
    connection: sa.Connection, engine: Engine, sql: str, values: Collection[Any], more: str = ""
) -> Iterable[Any]:
    """Run a statement that ends in a column, for rows where it is one of `values`."""
    if engine.sqlite:
        found: list[Any] = []
        listed = list(values)
        for start in range(0, len(listed), 10_000):
            part = listed[start : start + 10_000]
            marks = ", ".join("?" * len(part))
            found += connection.exec_driver_sql(f"{sql} IN ({marks}){more}", tuple(part)).all()
        return found
    return connection.exec_driver_sql(f"{sql} = ANY(%s){more}", (list(values),)).all()


def promote(connection: sa.Connection, engine: Engine, pairs: Collection[Pair]) -> set[str]:
    """Let the first that is left of each case be next; returns the channels where one is."""
    cases = {case_key for _, case_key in pairs}
    if not cases:
        return set()
    sql = "SELECT DISTINCT channel, case_key FROM deliveries WHERE state = 'pending' AND turn = 1"
    sql += " AND case_key "
    behind = {(row[0], row[1]) for row in in_list(connection, engine, sql, cases)} & set(pairs)
    rows = [(channel, case_key) for channel, case_key in sorted(behind)]
    engine.update(
        connection, deliveries, {"turn": str(NEXT)}, ("channel", "case_key"), _FIRST, rows
    )
    return {channel for channel, _ in behind}


def step_back(
    connection: sa.Connection, engine: Engine, fired: Collection[tuple[str, str, int]]
) -> None:
    """Make room for earlier ones whose moment has only now come.

    What is next of their case, is later than they are and was never tried, is behind them.
    """
    where = (
        f"state = 'pending' AND turn = {NEXT} AND owner IS NULL AND attempt = 0"
        " AND case_key = :case_key AND channel = :channel AND deliveries.id > :id"
    )
    columns = ("channel", "case_key", "id")
    engine.update(connection, deliveries, {"turn": str(BEHIND)}, columns, where, sorted(fired))


_FIRST = (
    "deliveries.id = (SELECT min(first.id) FROM deliveries AS first WHERE first.state = 'pending'"
    " AND first.case_key = :case_key AND first.channel = :channel AND first.turn > 0)"
    " AND NOT EXISTS (SELECT 1 FROM deliveries AS other WHERE other.state = 'pending'"
    " AND other.case_key = :case_key AND other.channel = :channel AND other.turn = 2)"
)
