"""A look at a database before it is used: it changes nothing of its schema."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from router.ledger.accept import note_checked
from router.ledger.diagnosis import Cause, cause_of
from router.ledger.engine import Engine, LedgerError, first_line, open_engine
from router.ledger.generation import find_saved
from router.ledger.lanes import list_lanes
from router.ledger.migrate import HEAD, version
from router.ledger.shapes import LaneRow
from router.ledger.shared_clock import NOW_SQL
from router.ledger.tables import PENDING, deliveries, events

if TYPE_CHECKING:
    from router.secret import Secret


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: `fault` says why the database cannot be used, in words, `cause` which kind
    of reason that is.

    `newest` is when the last event came, `clock` the database's own time (both epoch seconds;
    None: there is none). `free` is the space left for it in bytes, where it is a file.
    """

    place: str
    schema: Literal["none", "older", "current"] = "none"
    fault: str | None = None
    cause: Cause = "other"
    newest: float | None = None
    clock: float | None = None
    pending: int = 0
    lanes: dict[str, LaneRow] = {}
    free: int | None = None
    saved: Path | None = None
    """A copy that was saved of a database whose file was taken from a service."""


def look(url: Secret, now: float) -> Looked:
    """Say whether the database that `url` names can be used; `now` is written as a try."""
    try:
        engine = open_engine(url)
    except LedgerError as error:
        return Looked(place="the database", fault=str(error))
    place = _place(engine)
    free = None
    try:
        if engine.file is not None:
            folder = engine.file.resolve().parent
            free = shutil.disk_usage(folder).free
            if fault := _unwritable(folder, engine.file):
                return Looked(place=place, fault=fault, free=free)
            if not engine.file.exists():
                return Looked(place=place, free=free)
        return _ask(engine, place, free, now)
    except (SQLAlchemyError, OSError) as error:
        return Looked(place=place, fault=first_line(error), cause=cause_of(error), free=free)
    finally:
        engine.close()


def _ask(engine: Engine, place: str, free: int | None, now: float) -> Looked:
    found = version(engine)
    if found is None:
        return Looked(place=place, free=free)
    if found > HEAD:
        fault = "it was written by a newer version of the router"
        return Looked(place=place, fault=fault, cause="newer", free=free)
    if found < HEAD:
        return Looked(place=place, schema="older", free=free)
    with engine.writing.begin() as connection:
        note_checked(connection, now)
    with engine.reading.connect() as connection:
        clock = None
        if not engine.sqlite:
            clock = connection.exec_driver_sql(f"SELECT {NOW_SQL}").scalar_one()
        last = sa.select(events.c.received_at).order_by(events.c.id.desc()).limit(1)
        count = sa.select(sa.func.count()).select_from(deliveries).where(PENDING)
        return Looked(
            place=place,
            schema="current",
            newest=connection.execute(last).scalar(),
            clock=clock,
            pending=connection.execute(count).scalar_one(),
            lanes=list_lanes(connection),
            free=free,
            saved=find_saved(engine),
        )


def _place(engine: Engine) -> str:
    """What the database is called, without user and password."""
    if engine.file is not None:
        return f"SQLite {engine.file}"
    return f"PostgreSQL {engine.url.database or ''} on {engine.url.host or 'this machine'}"


def _unwritable(folder: Path, file: Path) -> str | None:
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"nothing may be written into the folder {folder}"
    if file.exists() and not os.access(file, os.R_OK | os.W_OK):
        return f"the file {file} may not be written"
    return None
