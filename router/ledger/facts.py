"""What there is to know about the database itself, and the processes that share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from router.ledger.desk_tables import processes
from router.ledger.slots import held_slots

if TYPE_CHECKING:
    from router.ledger.engine import Engine


class Database(msgspec.Struct, frozen=True):
    """Which database it is (no password in `place`), how many bytes it holds, its schema."""

    engine: str
    place: str
    size: int
    revision: str


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process that shares the ledger, as it told when it started, and the rules it goes by."""

    slot: int
    host: str
    pid: int
    role: str
    version: str
    started_at: float
    ruleset: str


def describe_database(connection: sa.Connection, engine: Engine) -> Database:
    """The database, as far as it can be told without its password."""
    version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    if engine.sqlite:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
        release = connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()
        return Database(f"SQLite {release}", str(engine.file), pages * size, version)
    size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
    release = connection.exec_driver_sql("SHOW server_version").scalar_one()
    url = engine.url
    where = url.host or url.query.get("host") or "local"
    return Database(f"PostgreSQL {release}", f"{where}/{url.database}", size, version)


def note_process(connection: sa.Connection, engine: Engine, told: Process) -> None:
    """Write down what a process tells of itself, over what its slot's last holder told."""
    row = tuple(getattr(told, column.name) for column in processes.columns)
    names = ", ".join(
        f"{c.name} = excluded.{c.name}" for c in processes.columns if c.name != "slot"
    )
    engine.insert(connection, processes, [row], f"ON CONFLICT (slot) DO UPDATE SET {names}")


def list_processes(connection: sa.Connection, engine: Engine) -> list[Process]:
    """The processes that live now."""
    alive = held_slots(connection, engine)
    query = sa.select(processes).order_by(processes.c.slot)
    rows = connection.execute(query).mappings()
    return [Process(**row) for row in rows if row["slot"] in alive]
