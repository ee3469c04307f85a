"""Which processes live: each holds a numbered slot that the system frees when it dies.

On SQLite a slot is a lock on a file beside the database, on PostgreSQL an advisory lock of a
session. So what a killed process had in hand is found at once, with no heartbeat; the lease is
what remains where neither holds (a database proxy that shares sessions).
"""

from __future__ import annotations

import contextlib
import fcntl
from typing import TYPE_CHECKING, Literal, NamedTuple, TextIO

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from router.ledger.desk_tables import processes
from router.ledger.engine import LedgerError
from router.ledger.tables import PENDING, deliveries

if TYPE_CHECKING:
    from pathlib import Path

    from router.ledger.engine import Engine

SLOTS = 64
SESSION_WAIT = 5.0
"""Seconds that a question of the session waits that holds the slot on PostgreSQL."""
_SPACE = 0x61_74_66_70  # the first half of the advisory locks' keys

Hold = Literal["held", "contested", "lost"]
"""What a process knows of its slot: it has it; its session to PostgreSQL broke, and the server
keeps the slot for the old one still (about ten seconds); another process has it by now, and has
made due what this one has in hand."""


class _Slot(NamedTuple):
    """One slot as it was at a look: whether somebody held it, and when the last process that took
    it began (None: that is not written down)."""

    is_held: bool
    began: float | None


_FREE = _Slot(is_held=False, began=None)


class Slots:
    """This process's slot, and a look at the others'."""

    def __init__(self, engine: Engine) -> None:
        """Take the lowest free slot; raises LedgerError when all are taken."""
        self._engine = engine
        self._file: TextIO | None = None
        self._session: sa.Connection | None = None
        self._pid: int | None = None  # of the server's process that has our session
        self._holder: int | None = None  # the same, when the slot was last held
        self._seen: dict[int, _Slot] | None = None  # at the last look that was settled
        self._looked: dict[int, _Slot] = {}
        self.hold: Hold = "held"
        self.mine = next((n for n in range(SLOTS) if self._lock(n)), -1)
        if self.mine < 0:
            self.close()
            raise LedgerError(f"{SLOTS} processes already share this database")
        self._holder = self._pid

    def dead(self) -> list[int]:
        """Look for slots whose processes died since the last look.

        That is a slot which was held and is not; or which is not held and was taken meanwhile; at
        the first look, one which has something in hand and is not held. They come again until
        `settle` is called. It costs one statement, and the first look another one. If the slot of
        this process was lost with its session, it is taken again first: see `hold`.
        Raises SQLAlchemyError or OSError.
        """
        try:
            if self.hold == "contested":
                self._lock(self.mine)  # the look says whether that did it
            with self._asking() as connection:
                seen = self._seen
                if seen is None:
                    in_hand = set(connection.execute(_OWNERS).scalars())
                    now = self._look(connection, dict.fromkeys(in_hand, _FREE))
                    seen = {n: _Slot(n in in_hand, slot.began) for n, slot in now.items()}
                else:
                    now = self._look(connection, seen)
                self._seen, self._looked = seen, now
        except SQLAlchemyError:
            if self._session is not None:
                self._end_session()
            raise
        others = [n for n in now if n != self.mine]
        return sorted(n for n in others if _has_died(seen.get(n, _FREE), now[n]))

    def settle(self) -> None:
        """What the last look brought is dealt with."""
        self._seen = self._looked

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._session is not None:
            # Said, so that it is free at once; a server that does not answer finds out by itself.
            with contextlib.suppress(SQLAlchemyError):
                self._engine.wait_at_most(self._session, 1.0)
                self._session.exec_driver_sql("SELECT pg_advisory_unlock_all()")
            self._end_session()

    def _look(self, connection: sa.Connection, seen: dict[int, _Slot]) -> dict[int, _Slot]:
        file = self._engine.file
        if file is not None:
            began = {row.slot: row.started_at for row in connection.execute(_BEGAN)}
            there = [n for n in range(SLOTS) if _path(file, n).exists()]
            # A file that somebody took away says nothing of who had it: it stays as it was.
            return seen | {
                n: _Slot(n == self.mine or _is_locked(file, n), began.get(n)) for n in there
            }
        rows = connection.exec_driver_sql(_BEGAN_AND_HELD, (_SPACE,)).all()
        self._judge(next((row.pid for row in rows if row.slot == self.mine), None))
        return dict.fromkeys(seen, _FREE) | {
            row.slot: _Slot(row.pid is not None, row.started_at) for row in rows
        }

    def _judge(self, holder: int | None) -> None:
        """Say what became of our slot, by the server's process in whose session it is held now."""
        if self.hold == "lost":
            return
        if holder == self._pid:
            self.hold, self._holder = "held", holder
        else:
            self.hold = "contested" if holder in (None, self._holder) else "lost"

    def _lock(self, number: int) -> bool:
        file = self._engine.file
        if file is None:
            with self._asking() as session:
                taken = f"SELECT pg_try_advisory_lock({_SPACE}, {number})"
                return bool(session.exec_driver_sql(taken).scalar())
        handle = _path(file, number).open("a", encoding="utf-8")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            return False
        self._file = handle
        return True

    def _asking(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """The connection to ask: on PostgreSQL always the session that holds the slot."""
        if self._engine.sqlite:
            return self._engine.reading.connect()
        if self._session is None:
            session = self._engine.reading.connect()
            session.detach()  # it is nobody else's, as long as the process lives
            self._engine.wait_at_most(session, SESSION_WAIT)
            raw = session.connection.dbapi_connection
            self._pid = raw.info.backend_pid  # type: ignore[union-attr]  # of psycopg
            self._session = session
        return contextlib.nullcontext(self._session)

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.close()  # it is no pool's: so it is closed indeed
            self._session = self._pid = None
            self.hold = "contested" if self.hold == "held" else self.hold


def held_slots(connection: sa.Connection, engine: Engine) -> set[int]:
    """The slots of the processes that live, asked from outside: nobody's slot is touched."""
    file = engine.file
    if file is None:
        rows = connection.exec_driver_sql(_BEGAN_AND_HELD, (_SPACE,))
        return {row.slot for row in rows if row.pid is not None}
    return {n for n in range(SLOTS) if _path(file, n).exists() and _is_locked(file, n)}


def _has_died(before: _Slot, now: _Slot) -> bool:
    return not now.is_held and (before.is_held or before.began != now.began)


def _path(database: Path, number: int) -> Path:
    return database.with_name(f"{database.name}-slot{number}")


def _is_locked(database: Path, number: int) -> bool:
    with _path(database, number).open("a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


_OWNERS = sa.select(deliveries.c.owner).where(PENDING, deliveries.c.owner.is_not(None)).distinct()
_BEGAN = sa.select(processes.c.slot, processes.c.started_at)
_BEGAN_AND_HELD = (
    "WITH held AS (SELECT objid::int4 AS slot, pid FROM pg_locks"
    " WHERE locktype = 'advisory' AND granted AND classid = %s"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    " SELECT coalesce(processes.slot, held.slot) AS slot, started_at, held.pid"
    " FROM processes FULL JOIN held ON held.slot = processes.slot"
)
