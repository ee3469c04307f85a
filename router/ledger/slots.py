"""Which processes live: each holds a numbered slot that the system frees when it dies.

On SQLite a slot is a lock on a file beside the database, on PostgreSQL an advisory lock of a
session. So what a killed process had in hand is found at once, with no heartbeat; the lease is
what remains where neither holds (a database proxy that shares sessions).
"""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING, TextIO

import sqlalchemy as sa

from router.ledger.engine import LedgerError

if TYPE_CHECKING:
    from pathlib import Path

    from router.ledger.engine import Engine

SLOTS = 64
_SPACE = 0x61_74_66_70  # the first half of the advisory locks' keys


class Slots:
    """This process's slot, and a look at the others'."""

    def __init__(self, engine: Engine) -> None:
        """Take the lowest free slot; raises LedgerError when all are taken."""
        self._engine = engine
        self._files: dict[int, TextIO] = {}
        self._session: sa.Connection | None = None
        if not engine.sqlite:
            self._session = self._open()
        self.mine = next((n for n in range(SLOTS) if self._lock(n)), -1)
        if self.mine < 0:
            self.close()
            raise LedgerError(f"{SLOTS} processes already share this database")

    def dead(self) -> list[int]:
        """Slots below the highest in use that nobody holds, except this one."""
        free = []
        for number in self._others():
            if self._lock(number):
                self._unlock(number)
                free.append(number)
        return free

    def revive(self) -> None:
        """Hold the slot again after the session to PostgreSQL broke.

        Until then others may take this process for dead, and repeat (marked) what it has in hand.
        """
        if self._session is not None:
            self._session.invalidate()
            self._session.close()
            self._session = self._open()
            self._lock(self.mine)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()
        if self._session is not None:
            self._session.invalidate()
            self._session.close()

    def _open(self) -> sa.Connection:
        session = self._engine.reading.connect()
        return session.execution_options(isolation_level="AUTOCOMMIT")

    def _others(self) -> list[int]:
        file = self._engine.file
        if file is None:
            return [n for n in range(SLOTS) if n != self.mine]
        return [n for n in range(SLOTS) if n != self.mine and _path(file, n).exists()]

    def _lock(self, number: int) -> bool:
        if self._session is not None:
            taken = f"SELECT pg_try_advisory_lock({_SPACE}, {number})"
            return bool(self._session.exec_driver_sql(taken).scalar())
        file = self._engine.file
        if file is None:
            raise AssertionError("SQLite has a file")
        handle = _path(file, number).open("a", encoding="utf-8")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            return False
        self._files[number] = handle
        return True

    def _unlock(self, number: int) -> None:
        if self._session is not None:
            self._session.exec_driver_sql(f"SELECT pg_advisory_unlock({_SPACE}, {number})")
        else:
            self._files.pop(number).close()


def _path(database: Path, number: int) -> Path:
    return database.with_name(f"{database.name}-slot{number}")


def held_slots(connection: sa.Connection, engine: Engine) -> set[int]:
    """The slots of the processes that live, asked from outside: nobody's slot is touched."""
    if engine.file is None:
        query = (
            "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return set(connection.exec_driver_sql(query, (_SPACE,)).scalars())
    paths = {number: _path(engine.file, number) for number in range(SLOTS)}
    return {number for number, path in paths.items() if path.exists() and _is_locked(path)}


def _is_locked(path: Path) -> bool:
    with path.open("a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
