"""Seeing, while the service runs, that the database is still the one that was opened."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from router.ledger.generation import changed, current_mark, write_mark
from router.log import get_logger

if TYPE_CHECKING:
    from pathlib import Path

    import sqlalchemy as sa

    from router.ledger.engine import Engine
    from router.ledger.generation import Opening
    from router.supervisor import Beat

PAGES = 2_000
"""Pages of a database that are saved between two signs of life."""

_log = get_logger()


class DatabaseGone(Exception):
    """The database is not there any more, or another one is; nothing is accepted."""


class Identification:
    """What was opened, and `lost`: why it must not be gone on with, in words."""

    def __init__(self, engine: Engine, opening: Opening) -> None:
        self._engine = engine
        self.opening = opening
        self._mark = opening.mark
        self.lost: str | None = None

    def check(self, connection: sa.Connection) -> None:
        """Compare the database with what was opened, and keep how far it is now."""
        if self.lost is not None or not self._engine.is_there():
            return  # the writer saves what it holds, and says so
        reason = self._changed(connection, writes=False)
        if reason is not None:
            self.lost = reason
            return
        mark = current_mark(connection, self._engine, self._mark)
        if mark != self._mark:
            self._mark = mark
            write_mark(self._engine, mark)

    def recognize(self, connection: sa.Connection) -> None:
        """Before the first commit of a session: see where its address has led to.

        A standby that was promoted takes what is written at once, and counts from where it had
        come: so it is looked at before, and not seconds later. Raises DatabaseGone, or what
        PostgreSQL says of a standby that is none yet.
        """
        if self._engine.sqlite:
            return  # a file is looked at after each commit
        with connection.begin():
            self.lost = self.lost or self._changed(connection, writes=True)
        self.require_known()

    def require_known(self) -> None:
        """Raises DatabaseGone once the database is known to be another one: write nothing there."""
        if self.lost is not None:
            raise DatabaseGone(self.lost)

    def _changed(self, connection: sa.Connection, *, writes: bool) -> str | None:
        place = self.opening.place
        return changed(connection, self._engine, self._mark, place, writes=writes)

    def require(self, connection: sa.Connection, beat: Beat) -> None:
        """After a commit: see that the file is still under its name, else save what it holds.

        Raises DatabaseGone: then nothing of that commit may be acknowledged.
        """
        if self.lost is None and not self._engine.is_there():
            self.lost = self._save(connection, beat)
        self.require_known()

    def _save(self, connection: sa.Connection, beat: Beat) -> str:
        """Copy the database, which has no name any more, beside where it was."""
        file = self._engine.file
        if file is None:
            raise AssertionError("only SQLite has a file")
        moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        copy = file.with_name(f"{file.name}.saved-{moment}-{os.getpid()}")
        gone = f"the database file {file} was deleted or replaced while the router used it"
        try:
            _copy(connection, copy, beat)
        except (OSError, sqlite3.Error) as error:
            _log.exception("database_not_saved")
            return f"{gone}; what it held could not be saved: {error}"
        return (
            f"{gone}; what it held is saved as {copy}: to go on with it, stop the router, move it"
            f" to {file} and start the router again"
        )


def _copy(connection: sa.Connection, copy: Path, beat: Beat) -> None:
    raw: Any = connection.connection.driver_connection
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    target = sqlite3.connect(copy)
    try:
        raw.backup(target, pages=PAGES, progress=lambda *_: beat())
    finally:
        target.close()
