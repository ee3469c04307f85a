"""SQLite in the simulation: the real one, with a place for faults at each statement and commit.

Who waits for another's lock does so in simulated time. A dead process has no statements any more.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from simulation.baton import Killed, Waiters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulation.baton import Baton
    from simulation.process import Process

AGAIN = 0.02
"""Seconds until a locked database is asked again."""
COMMIT = (0.0005, 0.006)
"""Seconds that a commit takes: from, to."""
_PATIENCE = "PRAGMA busy_timeout = "
_TEXTS = {"io": "disk I/O error", "full": "database or disk is full"}
_CODES = {"io": sqlite3.SQLITE_IOERR, "full": sqlite3.SQLITE_FULL}


class SimulatedConnection(sqlite3.Connection):
    """A connection of one process."""

    process: Process
    patience: float

    @property
    def baton(self) -> Baton:
        return self.process.baton

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or SimulatedCursor)

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        return self.cursor().execute(sql, parameters)

    def set_progress_handler(self, *_: Any) -> None:
        """What a read may take is told by a clock that runs here while others have the baton."""

    def commit(self) -> None:
        if not self.in_transaction:
            return
        self.reach("commit")
        self._fail("commit")
        seconds = self.baton.chance.uniform(*COMMIT)
        self.baton.block(Waiters(), seconds, "commits")
        super().commit()
        self.reach("committed")
        if self._draws("ambiguous"):
            self.process.count("ambiguous commit")
            raise _error("io")

    def rollback(self) -> None:
        if not self.process.dead:
            super().rollback()

    def run(self, cursor: SimulatedCursor, many: bool, sql: str, parameters: Any) -> Any:
        """Run a statement, once nobody else has locked the database, or its wait is over."""
        self.reach("begin" if sql.startswith("BEGIN") else "statement")
        self._fail(sql)
        end = self.baton.now + self.patience
        while True:
            try:
                if many:
                    return sqlite3.Cursor.executemany(cursor, sql, parameters)
                return sqlite3.Cursor.execute(cursor, sql, parameters)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or self.baton.now >= end:
                    raise
            self.baton.block(Waiters(), AGAIN, "locked")

    def reach(self, place: str) -> None:
        if self.process.dead:
            raise Killed
        self.baton.point(place)

    def _fail(self, sql: str) -> None:
        if self._draws("io"):
            self.process.count("I/O error")
            raise _error("io")
        if not sql.startswith(("SELECT", "PRAGMA", "BEGIN")) and self._draws("full"):
            self.process.count("disk full")
            raise _error("full")

    def _draws(self, kind: str) -> bool:
        sickness = self.process.sickness
        if sickness is None or sickness.kind != kind or self.baton.now > sickness.until:
            return False
        return self.baton.chance.random() < sickness.share


class SimulatedCursor(sqlite3.Cursor):
    """A cursor of such a connection."""

    connection: SimulatedConnection

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        if sql.startswith(_PATIENCE):
            self.connection.patience = float(sql.removeprefix(_PATIENCE)) / 1000
            return self
        # A process that dies takes nothing with it that the system has: a sync adds nothing.
        sql = sql.replace("PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF")
        return self.connection.run(self, False, sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Any:
        return self.connection.run(self, True, sql, parameters)

    def close(self) -> None:
        if not self.connection.process.dead:
            super().close()


@contextlib.contextmanager
def simulated_connections(baton: Baton) -> Iterator[None]:
    """Every connection that SQLAlchemy makes in this block is one of the running process."""

    def connect(_dialect: object, _record: object, arguments: Any, named: Any) -> Any:
        process = baton.current.process
        if process is None:
            raise AssertionError("only processes use the database")
        baton.point("connect")
        patience = named.pop("timeout", 5.0)
        (file,) = arguments
        made = sqlite3.connect(file, timeout=0, factory=SimulatedConnection, **named)
        made.process, made.patience = process, patience
        process.connections.append(made)
        return made

    sa.event.listen(sa.Engine, "do_connect", connect)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "do_connect", connect)


def _error(kind: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(_TEXTS[kind])
    error.sqlite_errorcode = _CODES[kind]
    return error
