"""The ledger: what must not be forgotten, behind one door."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from router.ledger import read
from router.ledger.accept import keep_ruleset, note_checked
from router.ledger.claim import give_back, release
from router.ledger.engine import Engine, LedgerError, open_engine
from router.ledger.migrate import migrate
from router.ledger.resend import fail_removed, resend
from router.ledger.shapes import LedgerUnavailable
from router.ledger.slots import Slots
from router.ledger.writer import Hands, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import sqlalchemy as sa

    from router.ledger.shapes import (
        Accepted,
        DeliveryRow,
        Draft,
        EventRow,
        Filters,
        InHand,
        Resent,
        Tried,
    )
    from router.secret import Secret

T = TypeVar("T")


class Ledger:
    """Events, rulesets, deliveries and attempts, on SQLite or PostgreSQL.

    Reading works at once. Writing by a service begins with `start`; before that, a write is one
    transaction of its own (as the commands do it).
    """

    def __init__(self, engine: Engine, now: Callable[[], float]) -> None:
        self._engine = engine
        self._now = now
        self._writer: Writer | None = None
        self._slots: Slots | None = None

    def start(self, hands: Hands | None = None) -> None:
        """Take a slot, make due what its last holder had in hand, and start the writer."""
        self._slots = Slots(self._engine)
        with self._engine.reading.connect() as connection:
            sql = "SELECT value FROM meta WHERE key = 'uid'"
            uid = str(connection.exec_driver_sql(sql).scalar_one())
        self._writer = Writer(self._engine, slot=self._slots.mine, uid=uid, now=self._now)
        self._writer.attach(hands)
        slot = self._slots.mine
        self._call(lambda connection: release(connection, slot, self._now()))

    def close(self) -> None:
        """Write what is queued, then let go of the database."""
        if self._writer is not None:
            self._writer.stop()
            self._writer = None
        if self._slots is not None:
            self._slots.close()
            self._slots = None
        self._engine.close()

    # --- writing ---

    def accept(self, draft: Draft) -> asyncio.Future[Accepted]:
        """Write an event and its deliveries down; done once they are on disk.

        Raises LedgerUnavailable (here, or in the future) if they are not.
        """
        return self._running.accept(draft)

    def claim(self, channel: str) -> None:
        """Take what is due of a channel, as much as the hands have room for."""
        self._running.claim(channel)

    def record(self, tried: Tried, done: Callable[[], None]) -> None:
        """Write down an attempt; `done` is called, in another thread, once it is on disk."""
        self._running.record(tried, done)

    def give_back(self, held: Sequence[InHand]) -> None:
        """Return what was taken in hand and not begun."""
        self._call(lambda connection: give_back(connection, self._engine, held, self._now()))

    def take_over(self) -> int:
        """Make due what dead processes had in hand; returns how many deliveries.

        Raises LedgerUnavailable when the database does not answer.
        """
        if self._slots is None:
            return 0
        try:
            dead = self._slots.dead()
        except SQLAlchemyError as error:
            self._revive()
            raise LedgerUnavailable(_first_line(error)) from None
        if not dead:
            return 0
        now = self._now()
        return sum(self._call(lambda c, n=n: release(c, n, now)) for n in dead)  # type: ignore[misc]

    def _revive(self) -> None:
        if self._slots is not None:
            with contextlib.suppress(SQLAlchemyError):  # the next look tries it again
                self._slots.revive()

    def keep_ruleset(self, hash_: str, files: Mapping[str, str]) -> None:
        """Keep the files a ruleset was read from, under its hash."""
        text = msgspec.json.encode(files).decode()
        self._call(lambda c: keep_ruleset(c, self._engine, hash_, text, self._now()))

    def resend(self, ids: Sequence[int], *, fresh_under: str | None = None) -> list[Resent]:
        """Send deliveries again: the stored words, or fresh ones under a ruleset's hash."""
        return self._call(
            lambda c: resend(c, self._engine, ids, fresh_under=fresh_under, now=self._now())
        )

    def fail_removed(self, channels: Sequence[str], reason: str) -> int:
        """Fail what waits for channels that are no longer there."""
        return self._call(lambda c: fail_removed(c, channels, reason, self._now()))

    def check_writable(self) -> None:
        """Write one row; raises LedgerUnavailable in words if that cannot be."""
        self._call(lambda connection: note_checked(connection, self._now()))

    # --- reading ---

    def events(self, filters: Filters) -> list[EventRow]:
        return self._read(lambda c: read.list_events(c, filters))

    def deliveries(self, filters: Filters) -> list[DeliveryRow]:
        return self._read(lambda c: read.list_deliveries(c, filters))

    def event(self, event_id: int) -> EventRow | None:
        return self._read(lambda c: read.find_event(c, event_id))

    def delivery(self, delivery_id: int) -> DeliveryRow | None:
        return self._read(lambda c: read.find_delivery(c, delivery_id))

    def ruleset(self, hash_: str) -> dict[str, str] | None:
        return self._read(lambda c: read.find_ruleset(c, hash_))

    def thread(self, channel: str, case_key: str) -> str | None:
        return self._read(lambda c: read.find_thread(c, channel, case_key))

    def pending(self) -> dict[str, int]:
        return self._read(read.count_pending)

    @property
    def backlog(self) -> int:
        """How many writes wait for the next commit."""
        return self._writer.waiting() if self._writer else 0

    @property
    def _running(self) -> Writer:
        if self._writer is None:
            raise AssertionError("the ledger was not started")
        return self._writer

    def _call(self, function: Callable[[sa.Connection], T]) -> T:
        if self._writer is None:
            with self._engine.writing.begin() as connection:
                return function(connection)
        future: Future[T] = Future()
        self._writer.call(function, future)
        return future.result()

    def _read(self, function: Callable[[sa.Connection], T]) -> T:
        with self._engine.reading.connect() as connection:
            return function(connection)


def open_ledger(url: Secret, now: Callable[[], float]) -> Ledger:
    """Open the database and bring its schema up to date; raises LedgerError in words."""
    engine = open_engine(url)
    try:
        migrate(engine)
    except LedgerError:
        engine.close()
        raise
    except (SQLAlchemyError, OSError) as error:
        engine.close()
        raise LedgerError(f"the database cannot be opened: {_first_line(error)}") from None
    return Ledger(engine, now)


def _first_line(error: Any) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).splitlines()[0][:300] if str(cause) else type(cause).__name__
