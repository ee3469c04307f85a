"""Pools of connections: for what writes, what the service asks, what pages ask, the history.

None waits for a connection of another: forty people who look at a page whose table is locked
leave the worker and the readiness alone. Whoever waits, for a connection, a lock or an answer,
does so for as many seconds as stand here, and is told then.
"""

from __future__ import annotations

import functools
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

LAST_TRY = 0.1
"""Seconds for which SQLite's lock is tried for by whoever has waited too long already."""
ANSWER_MARGIN = 2.0
"""Seconds that we wait longer than the server may take: so mostly the server says why."""

# Statements over the queue must never flip to a plan made for a small table.
_QUEUE_PLANS = dict.fromkeys(
    ("jit", "enable_seqscan", "enable_hashjoin", "enable_mergejoin"), "off"
)


class Limits(NamedTuple):
    """The bounds of one pool; all in seconds, but `cache`: megabytes of an SQLite file that each
    connection keeps in memory.

    `connection`: to wait for a free connection; `lock`: for what another process has locked;
    `statement`: for one statement; `idle`: between two statements of a transaction, after which
    the server ends the session of a process that is frozen or cut off, and frees its locks.
    """

    size: int
    overflow: int
    connection: float
    lock: float
    statement: float
    idle: float
    cache: int = 2


WRITING = Limits(size=1, overflow=4, connection=5.0, lock=4.0, statement=10.0, idle=3.0)
"""The writer holds one; commands, and the migrations at the start, take their own."""
READING = Limits(size=2, overflow=4, connection=5.0, lock=4.0, statement=10.0, idle=3.0, cache=8)
"""What the service itself asks: the worker, what is due, the rules, readiness. What is due among
hundreds of thousands is asked every other second, of the same pages."""
PAGES = Limits(size=4, overflow=4, connection=5.0, lock=5.0, statement=15.0, idle=15.0)
"""Pages, the API and lists, of a service."""
HISTORY = Limits(size=1, overflow=4, connection=5.0, lock=5.0, statement=600.0, idle=60.0)
"""What goes through the whole history: commands and backtests, for whom somebody waits."""
MIGRATION_WAIT = 3600.0
"""Seconds that a process waits for another one that brings the schema up to date."""


def create_pool(url: URL, limits: Limits, *, write: bool = False, queue: bool = True) -> sa.Engine:
    """Create a pool; `queue`: its statements are those of the queue, by fixed plans.

    What only reads on PostgreSQL has no transactions: each statement would see what is committed
    in either case, and asks once instead of three times.
    """
    sizes = {
        "pool_size": limits.size,
        "max_overflow": limits.overflow,
        "pool_timeout": limits.connection,
    }
    if url.get_backend_name() != "sqlite":
        return _postgres_pool(url, limits, sizes, write=write, queue=queue)
    pool = sa.create_engine(
        url.set(drivername="sqlite"),
        connect_args={
            "isolation_level": None,
            "timeout": limits.lock,
            "check_same_thread": False,
        },
        poolclass=sa.QueuePool,
        **sizes,
    )
    sa.event.listen(pool, "connect", functools.partial(_sqlite_connect, limits.cache))
    if write:
        sa.event.listen(pool, "begin", _begin_immediate)
    else:
        bound_reads(pool, limits.statement)
        sa.event.listen(pool, "begin", _begin_deferred)
    return pool


def _postgres_pool(
    url: URL, limits: Limits, sizes: dict[str, Any], *, write: bool, queue: bool
) -> sa.Engine:
    from router.ledger.postgres import connect  # noqa: PLC0415 - psycopg is slow to import

    settings = {
        "lock_timeout": _milliseconds(limits.lock),
        "statement_timeout": _milliseconds(limits.statement),
        "idle_in_transaction_session_timeout": _milliseconds(limits.idle),
        **(_QUEUE_PLANS if queue else {}),
    }
    patience = limits.statement + ANSWER_MARGIN
    more: dict[str, Any] = {} if write else {"isolation_level": "AUTOCOMMIT"}
    pool = sa.create_engine(
        url.set(drivername="postgresql+psycopg"), pool_pre_ping=write, **sizes, **more
    )

    def open_bounded(_dialect: object, _record: object, _args: object, arguments: Any) -> Any:
        return connect(settings, patience, arguments)

    sa.event.listen(pool, "do_connect", open_bounded)
    return pool


def wait_at_most(connection: sa.Connection, seconds: float | None) -> None:
    """Bound the waiting of each transaction that begins from now on; None: for ever.

    On SQLite it is the wait for another process' write, on PostgreSQL for everything.
    """
    if connection.info.get("patience", ...) == seconds:
        return
    connection.info["patience"] = seconds
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        patience = MIGRATION_WAIT if seconds is None else seconds
        raw.execute(f"PRAGMA busy_timeout = {_milliseconds(patience)}")
    else:
        raw.patience = seconds


def bound_reads(pool: sa.Engine, seconds: float) -> None:
    """Interrupt what a connection to SQLite reads for longer than so many seconds."""

    def add_limit(connection: Any, record: Any) -> None:
        limit = record.info["read_limit"] = _ReadLimit(seconds)
        connection.set_progress_handler(limit.is_over, STEPS)

    def begin(connection: sa.Connection) -> None:
        connection.info["read_limit"].begin()

    sa.event.listen(pool, "connect", add_limit)
    sa.event.listen(pool, "begin", begin)


STEPS = 20_000
"""Steps of SQLite's machine between two looks at the clock: about a millisecond."""


class _ReadLimit:
    """The moment at which what one connection reads is interrupted."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = monotonic() + seconds

    def begin(self) -> None:
        self._end = monotonic() + self._seconds

    def is_over(self) -> bool:
        return monotonic() > self._end


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def _sqlite_connect(cache: int, connection: Any, _record: object) -> None:
    connection.execute(f"PRAGMA cache_size = {-1000 * cache}")  # negative: kilobytes, not pages
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # NORMAL may lose what was answered with 202


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")
