"""Seeing, while the service runs, that the database is still the one that was opened."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.ledger.diagnosis import DatabaseGone
from router.ledger.generation import SAVED, current_mark, verify, write_mark
from router.log import get_logger

if TYPE_CHECKING:
    import sqlalchemy as sa

    from router.ledger.engine import Engine
    from router.ledger.generation import Mark, Opening
    from router.supervisor import Beat

PAGES = 2_000
"""Pages of a database that are saved between two signs of life."""

_log = get_logger()


class Identification:
    """What was opened, and `lost`: why it must not be gone on with, in words."""

    def __init__(self, engine: Engine, opening: Opening) -> None:
        self._engine = engine
        self.opening = opening
        self.lost: str | None = None
        self._keep(opening.mark)

    def note(self, error: Exception) -> None:
        """A write failed: keep it if it says that the database is another one by now."""
        if isinstance(error, DatabaseGone):
            self.lost = str(error)

    def check(self, connection: sa.Connection) -> None:
        """Compare the database with what was opened, and keep how far it is now."""
        if self.lost is not None or not self._engine.is_there():
            return  # the writer saves what it holds, and says so
        try:
            mark = self._verify(connection, writes=False)
        except DatabaseGone:
            return
        if mark != self._mark:
            self._keep(mark)
            write_mark(self._engine, mark)

    def _keep(self, mark: Mark) -> None:
        self._mark = mark
        highest = {"events": mark.events, "deliveries": mark.deliveries}
        self._engine.highest_ids = highest

    def recognize(self, connection: sa.Connection) -> None:
        """Before the first commit of a session: see where its address has led to.

        A standby that was promoted takes what is written at once, and counts from where it had
        come: so it is looked at before, and not seconds later. Raises DatabaseGone, or what
        PostgreSQL says of a standby that is none yet.
        """
        if self._engine.sqlite:
            return  # a file is looked at before, and after each commit
        with connection.begin():
            self.require_known(begun=True)
            self._verify(connection, writes=True)

    def require_known(self, *, begun: bool) -> None:
        """Before a commit: raises DatabaseGone if the database is known to be another one.

        Where no session has `begun`, none begins in a file that is not the one that was opened.
        """
        if not begun and self.lost is None and not self._engine.is_there():
            self.lost = f"{self._gone()}; what it held could not be saved"
        if self.lost is not None:
            raise DatabaseGone(self.lost)

    def _verify(self, connection: sa.Connection, *, writes: bool) -> Mark:
        place = self.opening.place
        try:
            return verify(connection, self._engine, self._mark, place, writes=writes)
        except DatabaseGone as error:
            self.lost = str(error)
            raise

    def require(self, connection: sa.Connection, beat: Beat) -> None:
        """After a commit: see that the file is still under its name, else save what it holds.

        Raises DatabaseGone: then nothing of that commit may be acknowledged.
        """
        if self.lost is None and not self._engine.is_there():
            self.lost = self._save(connection, beat)
        self.require_known(begun=True)

    def _gone(self) -> str:
        what = "emptied" if self._engine.is_emptied() else "deleted or replaced"
        return f"the database file {self._engine.file} was {what} while the router used it"

    def _save(self, connection: sa.Connection, beat: Beat) -> str:
        """Copy the database, which has no name any more, beside where it was."""
        file = self._engine.file
        if file is None:
            raise AssertionError("only SQLite has a file")
        moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        copy = file.with_name(f"{file.name}{SAVED}{moment}-{os.getpid()}")
        gone = self._gone()
        try:
            _copy(connection, copy, beat)
            # So that the next start knows how far it was, whatever stands in its place.
            write_mark(self._engine, current_mark(connection, self._engine, self._mark))
            connection.rollback()
        except (OSError, sqlite3.Error) as error:
            _log.exception("database_not_saved")
            return f"{gone}; what it held could not be saved: {error}"
        try:
            _remove_log(connection, file)
        except (OSError, sqlite3.Error):
            _log.exception("database_log_left")
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


def _remove_log(connection: sa.Connection, file: Path) -> None:
    """Let nothing of this database stay beside another one: SQLite would play its log into that.

    The database that was moved away is made whole without its log before. A log that another
    process has begun there is not ours.
    """
    raw: Any = connection.connection.driver_connection
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    ours = {_file_number(one) for one in Path("/proc/self/fd").iterdir()}
    for suffix in ("-wal", "-shm"):
        beside = file.with_name(f"{file.name}{suffix}")
        if _file_number(beside) in ours - {None}:
            beside.unlink(missing_ok=True)


def _file_number(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
