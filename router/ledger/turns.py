"""Whose turn it is: one case's deliveries go to one channel in the order of their events.

Of the pending deliveries of one case on one channel, at most one is NEXT and may be claimed; the
others are BEHIND it. So a claim looks only at what it can take, however long the queue behind is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

import sqlalchemy as sa

from router.ledger.tables import BEHIND, NEXT, PENDING, deliveries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from router.ledger.engine import Engine

Pair = tuple[str, str]
"""A channel and a case."""

FOLLOWS = "an earlier message of the same case comes first"


def lock_cases(connection: sa.Connection, engine: Engine, keys: Collection[str | None]) -> None:
    """Keep other processes from changing whose turn it is for these cases, until the commit.

    SQLite has one writer at a time; PostgreSQL takes an advisory lock per case, in one order.
    """
    wanted = sorted({crc32(key.encode()) for key in keys if key is not None})
    if wanted and not engine.sqlite:
        # Two numbers: a space of its own beside the slots' and the migrations' locks.
        sql = "SELECT pg_advisory_xact_lock(1667330405, k::int4) FROM unnest(%s::int8[]) AS v(k)"
        connection.exec_driver_sql(sql, ([key - 2**31 for key in wanted],)).all()


def taken(connection: sa.Connection, engine: Engine, keys: Collection[str]) -> set[Pair]:
    """On which channels a delivery of these cases is next: what is new stands behind it."""
    if not keys:
        return set()
    sql = "SELECT channel, case_key FROM deliveries WHERE state = 'pending' AND turn = 2"
    return {(row[0], row[1]) for row in in_list(connection, engine, f"{sql} AND case_key", keys)}


def free(connection: sa.Connection, keys: Collection[str], rules: Collection[str]) -> Sequence[Any]:
    """What these rules have waiting about these cases, and can still be cancelled.

    Nobody has it in hand, or has put it in a message with others.
    """
    columns = deliveries.c.id, deliveries.c.channel, deliveries.c.case_key, deliveries.c.rule
    query = sa.select(*columns, deliveries.c.turn).where(
        PENDING,
        deliveries.c.case_key.in_(keys),
        deliveries.c.rule.in_(rules),
        deliveries.c.owner.is_(None),
        deliveries.c.carried_by.is_(None),
    )
    return connection.execute(query).all()


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
    rows = _with_one_behind(connection, engine, sorted(pairs))
    next_ = {"turn": str(NEXT), "reason": f"nullif(reason, '{FOLLOWS}')"}
    engine.update(connection, deliveries, next_, ("channel", "case_key"), _FIRST, rows)
    return {channel for channel, _ in rows}


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


def _with_one_behind(
    connection: sa.Connection, engine: Engine, pairs: Sequence[Pair]
) -> list[Pair]:
    behind: list[Pair] = []
    for start in range(0, len(pairs), 10_000):
        part = pairs[start : start + 10_000]
        if engine.sqlite:
            sql = _BEHIND.format(f"(VALUES {', '.join(['(?, ?)'] * len(part))})")
            found = connection.exec_driver_sql(sql, tuple(value for pair in part for value in pair))
        else:
            sql = _BEHIND.format("(SELECT * FROM unnest(%s::text[], %s::text[]))")
            columns = tuple(list(column) for column in zip(*part, strict=True))
            found = connection.exec_driver_sql(sql, columns)
        behind += [(row[0], row[1]) for row in found]
    return behind


_BEHIND = (
    "WITH wanted(channel, case_key) AS {} SELECT channel, case_key FROM wanted WHERE EXISTS"
    " (SELECT 1 FROM deliveries AS d WHERE d.state = 'pending' AND d.turn = 1"
    " AND d.case_key = wanted.case_key AND d.channel = wanted.channel)"
)
_FIRST = (
    "deliveries.id = (SELECT min(first.id) FROM deliveries AS first WHERE first.state = 'pending'"
    " AND first.turn = 1 AND first.case_key = :case_key AND first.channel = :channel)"
    " AND NOT EXISTS (SELECT 1 FROM deliveries AS other WHERE other.state = 'pending'"
    " AND other.turn = 2 AND other.case_key = :case_key AND other.channel = :channel)"
)
