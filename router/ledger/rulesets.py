"""Rulesets: their files, kept under their hash, and which of them was in force when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from router.ledger.desk_tables import loads
from router.ledger.tables import rulesets

if TYPE_CHECKING:
    from router.ledger.engine import Engine


class Load(msgspec.Struct, frozen=True):
    """A ruleset that came into force."""

    id: int
    at: float
    hash: str


def keep_ruleset(
    connection: sa.Connection, engine: Engine, hash_: str, files: str, now: float
) -> None:
    """Keep a ruleset's files (JSON) under its hash, and that it is in force from now on."""
    engine.insert(connection, rulesets, [(hash_, now, files)], "ON CONFLICT (hash) DO NOTHING")
    last = sa.select(loads.c.hash).order_by(loads.c.id.desc()).limit(1)
    if connection.execute(last).scalar() != hash_:
        (number,) = engine.next_ids(connection, "loads", 1)
        engine.insert(connection, loads, [(number, now, hash_)])


def list_loads(connection: sa.Connection, limit: int) -> list[Load]:
    """Which rulesets came into force when, the latest first."""
    query = sa.select(loads).order_by(loads.c.id.desc()).limit(limit)
    return [Load(row.id, row.at, row.hash) for row in connection.execute(query)]
