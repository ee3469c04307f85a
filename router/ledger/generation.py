"""Who the ledger is and how far it is: so that a deleted, replaced or restored one is noticed.

`meta` holds the ledger's `uid`, its `generation` (one more each time it was found to be another
than it was) and its `place`: what changes when a database is copied or restored. Beside an SQLite
file stands its mark: who was there last, and how far it was. Ids that a lost stretch of time may
have given out are jumped over, so none is ever given to two things.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from router.ledger.diagnosis import OLDER, DatabaseGone
from router.ledger.tables import LATER, PENDING, deliveries, meta

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from router.ledger.engine import Engine

Kind = Literal["new", "known", "moved", "emptied", "replaced", "restored", "promoted"]

_ANOTHER = ("emptied", "replaced", "restored", "promoted")
"""The kinds of a database that is not the one of before, or not as far."""
SAVED = ".saved-"
"""What stands between the name of a database file and the moment at which it was saved."""
JUMP = 1_000_000
"""Ids that are left out where it is not known how far the lost stretch of time went."""
_COUNTED = ("events", "deliveries")


class Mark(msgspec.Struct, frozen=True):
    """A ledger at a moment: who it is, and the highest ids it has given out."""

    uid: str
    generation: int
    events: int
    deliveries: int


class Opening(msgspec.Struct, frozen=True):
    """What the ledger turned out to be when it was opened; `text` says it where it is not usual."""

    kind: Kind
    mark: Mark
    place: str
    text: str = ""


_TEXTS: dict[Kind, str] = {
    "emptied": (
        "the database is empty, and another one was here before: what that held is not here;"
        " if this is not meant, stop the router and bring the database back"
    ),
    "replaced": (
        "another database is here than before: what that one held is not here; if this is not"
        " meant, stop the router and bring the database back"
    ),
    "restored": (
        "the database is an older state of itself: what was accepted or sent after it was saved is"
        " not here; what it holds as due is sent, marked as a possible repeat"
    ),
    "promoted": (
        "the database has begun a new timeline (a standby took over, or it was restored): what had"
        " not reached it is not here; what it holds as due is sent, marked as a possible repeat"
    ),
    "moved": "the database is a copy at another place; nothing is missing",
}


def open_generation(connection: sa.Connection, engine: Engine, now: float) -> Opening:
    """Find out whether the ledger is what it was, and write down what it is now.

    Call it in a transaction that writes, once for each start; of two processes that start at once
    the second finds what the first has written.
    """
    keys = _keys(connection, engine, _CHANGES)
    uid, generation = keys["uid"], int(keys.get("generation", "0"))
    place, old_place = place_of(connection, engine), keys.get("place")
    newest = _newest(connection, engine)
    left = read_mark(engine)
    mark = Mark(uid, generation, *newest)
    fresh = "generation" not in keys and newest[0] == 0
    kind = _kind(mark, left, fresh=fresh, moved=old_place is not None and old_place != place)
    if kind == "restored" and left is None and _promoted(str(old_place), place):
        kind = "promoted"
    if kind in _ANOTHER:
        highest = [max(pair) for pair in zip(newest, _ids(left), strict=True)]
        _jump(connection, engine, [number + JUMP for number in highest])
    if kind in ("replaced", "restored", "promoted"):
        # What is due by now: the time that is lost may have sent it.
        due = sa.or_(deliveries.c.turn != LATER, deliveries.c.due_at <= now)
        maybe = sa.case((deliveries.c.attempt > 0, deliveries.c.attempt), else_=1)
        where = (PENDING, deliveries.c.unsure == 0, due)
        connection.execute(deliveries.update().where(*where).values(unsure=maybe))
    if kind not in ("known", "moved"):
        generation += 1
    rows = [("generation", str(generation)), ("place", place)]
    kept = "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    engine.insert(connection, meta, rows, kept)
    mark = Mark(uid, generation, *_newest(connection, engine))
    write_mark(engine, mark)  # before another process may look at it
    text = _TEXTS.get(kind, "")
    saved = find_saved(engine) if kind in _ANOTHER else None
    if saved is not None:
        text = f"{text}; what the one before held is saved as {saved}"
    return Opening(kind, mark, place, text)


def _kind(mark: Mark, left: Mark | None, *, fresh: bool, moved: bool) -> Kind:
    if fresh:
        return "new" if left is None else "emptied"
    if left is not None and left.uid != mark.uid:
        return "replaced"
    if left is not None and (left.events > mark.events or left.deliveries > mark.deliveries):
        return "restored"
    if not moved:
        return "known"
    # Without a mark beside it nobody knows how old the copy is.
    return "restored" if left is None else "moved"


def _promoted(old: str, new: str) -> bool:
    """Whether nothing but the timeline of a PostgreSQL differs."""
    return old.count("-") == 2 and old.rpartition("-")[0] == new.rpartition("-")[0]


def verify(
    connection: sa.Connection, engine: Engine, since: Mark, place: str, *, writes: bool
) -> Mark:
    """The mark of the same ledger, as far as it is now: in one statement, as it is asked often.

    Raises DatabaseGone, in words, if the database is not the one that was opened any more. With
    `writes`, a standby that cannot be written to yet is refused, as PostgreSQL words it.
    """
    try:
        if writes and not engine.sqlite:
            _keys(connection, engine, _KEPT)
        mark, here = _identity(connection, engine, place)
    except DBAPIError as error:
        if "no such table" in str(error) or getattr(error.orig, "sqlstate", "") == "42P01":
            raise DatabaseGone("the tables of the database are gone") from None
        raise
    if mark.uid != since.uid:
        raise DatabaseGone("another database is here now")
    if mark.generation != since.generation:
        raise DatabaseGone("the database was replaced or restored, as another process has found")
    if mark.events < since.events or mark.deliveries < since.deliveries:
        raise DatabaseGone(OLDER)
    if here != place and not here.endswith("-"):
        raise DatabaseGone("another server of the database answers now, or it was restored")
    return mark


def current_mark(connection: sa.Connection, engine: Engine, since: Mark) -> Mark:
    """The same ledger, as far as it is now."""
    return Mark(since.uid, since.generation, *_newest(connection, engine))


def _identity(connection: sa.Connection, engine: Engine, place: str) -> tuple[Mark, str]:
    """What is under the address now, and its place; that of a file is seen by its number."""
    row = connection.exec_driver_sql(
        _IDENTITY_SQLITE if engine.sqlite else _IDENTITY_POSTGRES
    ).one()
    here = place if engine.sqlite else _join_place(row[4:])
    return Mark(row[0] or "", int(row[1] or "0"), row[2], row[3]), here


def find_saved(engine: Engine) -> Path | None:
    """The newest copy that a process saved of a database whose file was taken from it."""
    file = engine.file
    return None if file is None else max(file.parent.glob(f"{file.name}{SAVED}*"), default=None)


def has_begun(engine: Engine) -> bool:
    """Whether a service has ever begun with the ledger, or something was accepted into it."""
    with engine.reading.connect() as connection:
        keys = _keys(connection, engine, None)
        return "generation" in keys or _newest(connection, engine)[0] > 0


def place_of(connection: sa.Connection, engine: Engine) -> str:
    """What changes when a database is copied or restored: on SQLite the file's number; on
    PostgreSQL the numbers of the database and of a table, and the timeline (nothing as long as it
    is a standby)."""
    if engine.file is not None:
        return str(engine.file.stat().st_ino)
    return _join_place(connection.exec_driver_sql(f"SELECT {_PLACE}").one())


def _join_place(numbers: Iterable[object]) -> str:
    return "-".join(str(number) for number in numbers)


def read_mark(engine: Engine) -> Mark | None:
    """The mark beside an SQLite file; None where there is none that can be read."""
    path = _mark_path(engine)
    if path is None:
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Mark)
    except (OSError, msgspec.MsgspecError):
        return None


def write_mark(engine: Engine, mark: Mark) -> None:
    """Put the mark beside an SQLite file. It may be late by seconds: ids are jumped over widely."""
    path = _mark_path(engine)
    if path is None:
        return
    fresh = path.with_name(f"{path.name}-{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(mark))
    fresh.replace(path)


def _mark_path(engine: Engine) -> Path | None:
    file = engine.file
    return None if file is None else file.with_name(f"{file.name}-mark")


_ALL = sa.select(meta.c.key, meta.c.value).order_by(meta.c.key)
_CHANGES = _ALL.with_for_update()
_KEPT = _ALL.with_for_update(read=True, key_share=True)
"""Waits for nobody, and is a write for PostgreSQL all the same: a standby refuses it."""


def _keys(
    connection: sa.Connection, engine: Engine, query: sa.Select[tuple[str, str]] | None
) -> dict[str, str]:
    wanted = _ALL if query is None or engine.sqlite else query
    return {row.key: row.value for row in connection.execute(wanted)}


def _newest(connection: sa.Connection, engine: Engine) -> tuple[int, int]:
    numbers = _COUNTERS if engine.sqlite else _SEQUENCES
    row = connection.exec_driver_sql(f"SELECT {numbers}").one()
    return row[0], row[1]


_PLACE = (
    "(SELECT oid FROM pg_database WHERE datname = current_database()), 'events'::regclass::oid,"
    " CASE WHEN pg_is_in_recovery() THEN '' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END"
)
# A sequence that was never asked says 1, as after its first number.
_SEQUENCE = "(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {}_ids)"
_COUNTER = "(SELECT value FROM counters WHERE name = '{}')"
_META = "(SELECT value FROM meta WHERE key = '{}')"
_SEQUENCES = ", ".join(map(_SEQUENCE.format, _COUNTED))
_COUNTERS = ", ".join(map(_COUNTER.format, _COUNTED))
_WHO = ", ".join(map(_META.format, ("uid", "generation")))
_IDENTITY_SQLITE = f"SELECT {_WHO}, {_COUNTERS}"
_IDENTITY_POSTGRES = f"SELECT {_WHO}, {_SEQUENCES}, {_PLACE}"


def _ids(mark: Mark | None) -> tuple[int, int]:
    return (0, 0) if mark is None else (mark.events, mark.deliveries)


def _jump(connection: sa.Connection, engine: Engine, to: list[int]) -> None:
    for name, value in zip(_COUNTED, to, strict=True):
        if engine.sqlite:
            sql = "UPDATE counters SET value = ? WHERE name = ?"
            connection.exec_driver_sql(sql, (value, name))
        else:
            connection.exec_driver_sql(f"SELECT setval('{name}_ids', %s)", (value,))
