"""The two engines under the ledger, and the few statements that are written for each.

SQLAlchemy Core is the layer; the hot statements take whole batches: `executemany` on SQLite,
`unnest` on PostgreSQL (a row at a time costs PostgreSQL a third of its throughput).
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from router.ledger import pools
from router.ledger.diagnosis import OLDER, DatabaseGone, diagnose, first_line, is_of_database
from router.ledger.shapes import LedgerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from router.secret import Secret

T = TypeVar("T")
Row = tuple[Any, ...]

__all__ = ["Engine", "LedgerError", "Row", "begun", "first_line", "in_words", "open_engine"]


class LedgerError(Exception):
    """The ledger cannot be used; the text says why, in words for the operator."""


class Engine:
    """One database, as the ledger uses it: SQLite or PostgreSQL."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.sqlite = url.get_backend_name() == "sqlite"
        self.file = Path(str(url.database)) if self.sqlite else None
        self._statements: dict[tuple[str, ...], str] = {}
        self._inode: int | None = None
        self.highest_ids: dict[str, int] = {}  # table -> the highest that is known to be in use
        self.known_lanes: set[str] = set()  # channels that have a lane for good
        self.writing = pools.create_pool(url, pools.WRITING, write=True)
        self.reading = pools.create_pool(url, pools.READING)
        self.pages = pools.create_pool(url, pools.PAGES, queue=False)
        self.history = pools.create_pool(url, pools.HISTORY, queue=False)
        if self.sqlite:
            for pool in (self.writing, self.reading, self.pages, self.history):
                sa.event.listen(pool, "do_connect", self._refuse_another)

    def remember_file(self) -> None:
        """Keep which file it is that was opened (SQLite)."""
        self._inode = _inode(self.file)

    def is_there(self) -> bool:
        """Whether the file that was opened is still the one under its name, and not emptied."""
        return self._inode is None or _inode(self.file) == self._inode

    def is_emptied(self) -> bool:
        """Whether the file that was opened is still there, and nothing is in it."""
        status = self.file.stat() if self.file is not None and self.file.exists() else None
        return status is not None and status.st_ino == self._inode and not status.st_size

    def _refuse_another(self, *_: object) -> None:
        """Open no file that took the place of the one that was opened: as long as that one's log
        stands beside it, SQLite would play it into the new one."""
        if not self.is_there():
            raise sqlite3.OperationalError("the database file was deleted or replaced")

    def close(self) -> None:
        for pool in (self.writing, self.reading, self.pages, self.history):
            pool.dispose()

    def read(self, function: Callable[[sa.Connection], T], pool: sa.Engine) -> T:
        """Run a function that only reads; raises LedgerUnavailable in words.

        A session that the server ended while it stood idle in the pool (PostgreSQL was restarted)
        is not yet a database that does not answer: it is asked once more by a new one.
        """
        with in_words():
            try:
                with pool.connect() as connection:
                    return function(connection)
            except DBAPIError as error:
                if not error.connection_invalidated or _is_silent(error):
                    raise
            with pool.connect() as connection:
                return function(connection)

    def next_ids(self, connection: sa.Connection, name: str, count: int) -> list[int]:
        """Take `count` rising ids for the table `name`; an id is never given twice.

        Raises DatabaseGone where one would be: it is an older state of the database by now.
        """
        if not count:
            return []
        # As it was before: on PostgreSQL another process may take higher ones at the same moment,
        # and a look at the database in another thread of this process may see those first.
        highest = self.highest_ids.get(name, 0)
        taken = self._take_ids(connection, name, count)
        if taken[0] <= highest:
            raise DatabaseGone(OLDER)
        return taken

    def _take_ids(self, connection: sa.Connection, name: str, count: int) -> list[int]:
        if self.sqlite:
            taken = connection.exec_driver_sql(
                "UPDATE counters SET value = value + ? WHERE name = ? RETURNING value",
                (count, name),
            )
            last: int = taken.scalar_one()
            return list(range(last - count + 1, last + 1))
        drawn = connection.exec_driver_sql(
            f"SELECT nextval('{name}_ids') FROM generate_series(1, %s)",
            (count,),
        )
        return sorted(drawn.scalars())

    def insert(
        self,
        connection: sa.Connection,
        table: sa.Table,
        rows: Sequence[Row],
        on_conflict: str = "",
    ) -> None:
        """Insert rows given in the order of the table's columns."""
        if not rows:
            return
        key = ("insert", table.name, on_conflict)
        sql = self._statements.get(key)
        if sql is None:
            sql = self._statements[key] = self._insert_sql(table, on_conflict)
        if self.sqlite:
            connection.exec_driver_sql(sql, list(rows))
        else:
            connection.exec_driver_sql(
                sql, tuple(list(column) for column in zip(*rows, strict=True))
            )

    def update(
        self,
        connection: sa.Connection,
        table: sa.Table,
        assign: Mapping[str, str],
        columns: Sequence[str],
        where: str,
        rows: Sequence[Row],
    ) -> None:
        """Update one row per tuple.

        `columns` names the values of a tuple (as columns of the table); `assign` and `where` are
        SQL in which `:name` stands for such a value.
        """
        if not rows:
            return
        key = ("update", table.name, *columns, where)
        sql = self._statements.get(key)
        if sql is None:
            sql = self._statements[key] = self._update_sql(table, assign, columns, where)
        if self.sqlite:
            names = [f"v_{name}" for name in columns]
            connection.exec_driver_sql(sql, [dict(zip(names, row, strict=True)) for row in rows])
        else:
            connection.exec_driver_sql(
                sql, tuple(list(column) for column in zip(*rows, strict=True))
            )

    def _insert_sql(self, table: sa.Table, on_conflict: str) -> str:
        names = ", ".join(column.name for column in table.columns)
        if self.sqlite:
            values = f"VALUES ({', '.join('?' * len(table.columns))})"
        else:
            values = f"SELECT * FROM unnest({self._arrays(table, [c.name for c in table.columns])})"
        return f"INSERT INTO {table.name} ({names}) {values} {on_conflict}"

    def wait_at_most(self, connection: sa.Connection, seconds: float, waited: float = 0.0) -> None:
        """Bound the waiting of each transaction of a connection from now on; cheap if unchanged.

        On SQLite it is the wait for another process' write, of which so many seconds were `waited`
        already, in tenths. On PostgreSQL it is all of the transaction: every statement together,
        whoever is silent.
        """
        if self.sqlite:
            seconds = max(seconds - int(waited * 10) / 10, min(seconds, pools.LAST_TRY))
        pools.wait_at_most(connection, seconds)

    def lift_limits(self, connection: sa.Connection) -> None:
        """Let a connection take as long as it needs: for migrations. Call it before they begin."""
        pools.wait_at_most(connection, None)
        if not self.sqlite:
            names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
            connection.exec_driver_sql("; ".join(f"SET {name} = 0" for name in names))
            connection.commit()

    def is_held(self, error: Exception) -> bool:
        """Whether nothing can be written now, and others would wait in vain as well."""
        return diagnose(error).kind == "unavailable"

    def is_to_be_repeated(self, error: Exception) -> bool:
        """Whether the database gave a transaction up so that another could go on."""
        return diagnose(error).kind == "conflict"

    def _update_sql(
        self, table: sa.Table, assign: Mapping[str, str], columns: Sequence[str], where: str
    ) -> str:
        settings = ", ".join(f"{name} = {sql}" for name, sql in assign.items())
        if self.sqlite:
            text = f"UPDATE {table.name} SET {settings} WHERE {where}"
            return _names(text, columns, ":v_{}")
        head = f"UPDATE {table.name} SET {settings}"
        names = ", ".join(f"v_{name}" for name in columns)
        source = f"FROM unnest({self._arrays(table, columns)}) AS v({names})"
        return _names(f"{head} {source} WHERE {where}", columns, "v.v_{}")

    def _arrays(self, table: sa.Table, columns: Sequence[str]) -> str:
        dialect = self.writing.dialect
        return ", ".join(f"%s::{table.c[name].type.compile(dialect)}[]" for name in columns)


def begun(url: Secret) -> bool:
    """Whether there may be history: not where the file of the database was never made."""
    engine = open_engine(url)
    file = engine.file
    engine.close()
    return file is None or file.exists()


def open_engine(url: Secret) -> Engine:
    """Open the database that `url` names; raises LedgerError in words."""
    try:
        parsed = make_url(url.reveal())
    except ArgumentError:
        raise LedgerError(
            "ROUTER_DATABASE_URL is not a database address; write"
            " sqlite:///router.db or postgresql://user:password@host/db"
        ) from None
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise LedgerError(f"ROUTER_DATABASE_URL: `{backend}` is not sqlite or postgresql")
    if backend == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise LedgerError(
                "ROUTER_DATABASE_URL: the ledger needs a file, like sqlite:///router.db"
            )
        folder = Path(str(parsed.database)).resolve().parent
        if not folder.is_dir():
            raise LedgerError(f"ROUTER_DATABASE_URL: there is no folder {folder}; create it first")
    return Engine(parsed)


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """What the database, or the way to it, raises in this block is LedgerUnavailable in words."""
    try:
        yield
    except Exception as error:
        if not is_of_database(error):
            raise
        raise LedgerUnavailable(diagnose(error).text) from None


def _is_silent(error: DBAPIError) -> bool:
    """Whether it was waited for already, as long as one waits."""
    from router.ledger.postgres import NoAnswer  # noqa: PLC0415 - only PostgreSQL's sessions end

    return isinstance(error.orig, NoAnswer)


def _names(sql: str, columns: Sequence[str], form: str) -> str:
    for name in sorted(columns, key=len, reverse=True):
        sql = sql.replace(f":{name}", form.format(name))
    return sql


def _inode(file: Path | None) -> int | None:
    """The number of a file; -1 if there is none, or nothing in it."""
    try:
        status = None if file is None else file.stat()
    except OSError:
        return -1
    return status and (status.st_ino if status.st_size else -1)
