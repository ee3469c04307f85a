"""What an exception of the database means: to be tried again, to wait for, or a fault of ours."""

from __future__ import annotations

import sqlite3
from typing import Literal

import msgspec
from sqlalchemy.exc import SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

Kind = Literal["unavailable", "conflict", "fault"]

Cause = Literal["locked", "full", "newer", "silent", "other"]
"""Why a database cannot be used, where that says what to do: another process holds it, its disk is
full, a newer version wrote it, it does not answer; or its address, or a right to it, is wrong."""

MAX_TEXT = 300
"""Characters of a database's own words that are shown."""


class Diagnosis(msgspec.Struct, frozen=True):
    """What is the matter, and its text in one line.

    - `unavailable`: the database does not answer, is locked, full, read-only, cut off, or all
      connections to it are in use. Nothing that is asked now would fare better.
    - `conflict`: two transactions met (a deadlock, a serialization failure). The same one tried
      again goes through.
    - `fault`: the statement or its values are wrong, or it is no matter of the database at all.
      Others go through.
    """

    kind: Kind
    text: str


class DatabaseGone(Exception):
    """The database is not there any more, or another one is; nothing is accepted."""


OLDER = "the database was restored: it is an older state of itself"
"""What is said where a database has not given out the ids that it had given out before."""


def diagnose(error: BaseException) -> Diagnosis:
    """Say what an exception means for those who use the ledger."""
    if isinstance(error, DatabaseGone):
        return Diagnosis("unavailable", str(error))
    if isinstance(error, PoolTimeout):
        return Diagnosis("unavailable", IN_USE)
    cause = error
    if isinstance(error, StatementError) and error.orig is not None:
        cause = error.orig
    if isinstance(cause, sqlite3.Error):
        if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return Diagnosis("unavailable", TOO_LONG)
        return Diagnosis(_of_sqlite(cause), first_line(cause))
    if is_of_database(cause):
        return Diagnosis(_of_postgres(cause), first_line(cause))
    return Diagnosis("fault", f"{type(cause).__name__}: {first_line(cause)}"[:MAX_TEXT])


def cause_of(error: BaseException) -> Cause:
    """Why an exception that is `unavailable` came."""
    origin = getattr(error, "orig", None) or error
    if isinstance(origin, sqlite3.Error):
        # The low byte is the error, the rest says more of it.
        return _SQLITE_CAUSES.get(getattr(origin, "sqlite_errorcode", 0) & 0xFF, "other")
    return _POSTGRES_CAUSES.get(getattr(origin, "sqlstate", None) or "", "other")


def is_of_database(error: BaseException) -> bool:
    """Whether an exception comes from the database or what speaks to it."""
    # psycopg is not imported where it is not needed.
    driver = type(error).__module__.partition(".")[0] == "psycopg"
    return driver or isinstance(error, SQLAlchemyError | sqlite3.Error)


def first_line(error: BaseException) -> str:
    """The first line of what a database, or what speaks to it, said."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).splitlines()
    return lines[0][:MAX_TEXT] if lines else type(cause).__name__


def _of_sqlite(error: sqlite3.Error) -> Kind:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # of the module itself: a closed database, a wrong number of values
        return "unavailable" if isinstance(error, sqlite3.OperationalError) else "fault"
    if str(error).startswith("no such table"):  # somebody took the database's content away
        return "unavailable"
    # The low byte is the error, the rest says more of it.
    return "fault" if code & 0xFF in _SQLITE_FAULTS else "unavailable"


def _of_postgres(error: BaseException) -> Kind:
    state = getattr(error, "sqlstate", None)
    if state is None:
        # It comes from this side: no connection, or none any more; or a wrong use of the driver.
        kinds = {kind.__name__ for kind in type(error).__mro__}
        return "unavailable" if kinds & {"OperationalError", "InterfaceError"} else "fault"
    if state in _CONFLICTS:
        return "conflict"
    return "unavailable" if state in _STATES or state[:2] in _CLASSES else "fault"


TOO_LONG = "reading took longer than it may: ask for less"
IN_USE = "all connections to the database are in use"
_SQLITE_FAULTS = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_TOOBIG,
    }
)
_SQLITE_CAUSES: dict[int, Cause] = {
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_FULL: "full",
}
_POSTGRES_CAUSES: dict[str, Cause] = {"55P03": "locked", "55006": "locked", "53100": "full"}
_CONFLICTS = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
_CLASSES = frozenset(
    {
        "08",  # connection
        "28",  # the user may not log in
        "3D",  # there is no such database
        "53",  # too many connections, disk full, out of memory
        "57",  # shut down, cancelled, a statement took too long, the database was dropped
        "58",  # input, output, a missing file
        "XX",  # corrupted, internal
    }
)
_STATES = frozenset(
    {
        "25006",  # read-only: a standby, or the address leads to one now
        "25P02",  # what came before in the transaction failed
        "25P03",  # idle in a transaction for too long
        "25P04",  # the transaction took too long
        "42501",  # no right to a table
        "42P01",  # the tables are gone
        "55P03",  # a lock that another process holds
        "55006",  # the object is in use
    }
)
