"""The two engines under the ledger, and the few statements that are written for each.

SQLAlchemy Core is the layer; the hot statements take whole batches: `executemany` on SQLite,
`unnest` on PostgreSQL (a row at a time costs PostgreSQL a third of its throughput).
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from router.ledger.shapes import LedgerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from router.secret import Secret

Row = tuple[Any, ...]

# Statements over the queue must never flip to a plan made for a small table.
_POSTGRES_PLANS = "-c jit=off -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"


class LedgerError(Exception):
    """The ledger cannot be used; the text says why, in words for the operator."""


class Engine:
    """One database, as the ledger uses it: SQLite or PostgreSQL."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.sqlite = url.get_backend_name() == "sqlite"
        self._statements: dict[tuple[str, ...], str] = {}
        self.writing = self._create(write=True)
        self.reading = self._create(write=False)

    @property
    def file(self) -> Path | None:
        """The database file, when there is one."""
        return Path(str(self.url.database)) if self.sqlite else None

    def close(self) -> None:
        self.writing.dispose()
        self.reading.dispose()

    def next_ids(self, connection: sa.Connection, name: str, count: int) -> list[int]:
        """Take `count` rising ids for the table `name`; an id is never given twice."""
        if not count:
            return []
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

    def wait_at_most(self, connection: sa.Connection, seconds: float) -> None:
        """How long a connection waits for what another process holds (SQLite)."""
        if self.sqlite:
            raw: Any = connection.connection.driver_connection
            raw.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

    def is_held(self, error: Exception) -> bool:
        """Whether SQLite could not write at all: held by another process, or no place left."""
        return self.sqlite and isinstance(error, sa.exc.OperationalError)

    def is_to_be_repeated(self, error: sa.exc.DBAPIError) -> bool:
        """Whether the database gave a transaction up so that another could go on (PostgreSQL)."""
        return getattr(error.orig, "sqlstate", None) in ("40P01", "40001")

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

    def _create(self, *, write: bool) -> sa.Engine:
        if not self.sqlite:
            options = {"options": _POSTGRES_PLANS} if write else {}
            return sa.create_engine(
                self.url.set(drivername="postgresql+psycopg"),
                connect_args={"connect_timeout": 10, **options},
                pool_pre_ping=True,
            )
        engine = sa.create_engine(
            self.url.set(drivername="sqlite"),
            connect_args={"isolation_level": None, "timeout": 30, "check_same_thread": False},
        )
        sa.event.listen(engine, "connect", _sqlite_connect)
        sa.event.listen(engine, "begin", _begin_immediate if write else _begin_deferred)
        return engine


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
    """A database that does not answer in this block is told in words."""
    try:
        yield
    except DBAPIError as error:
        raise LedgerUnavailable(first_line(error)) from None


def reason_of(error: BaseException) -> str:
    """Why the database did not do something, in one line; a fault of ours by its kind."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return str(error.orig).splitlines()[0][:200]
    return f"{type(error).__name__}: {error}"[:200]


def first_line(error: Any) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).splitlines()[0][:300] if str(cause) else type(cause).__name__


def _names(sql: str, columns: Sequence[str], form: str) -> str:
    for name in sorted(columns, key=len, reverse=True):
        sql = sql.replace(f":{name}", form.format(name))
    return sql


def _sqlite_connect(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # NORMAL may lose what was answered with 202
    connection.execute("PRAGMA busy_timeout = 30000")


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")
