"""The ledger: what must not be forgotten, behind one door."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from router.ledger import read
from router.ledger.accept import note_checked
from router.ledger.backtests import Backtests
from router.ledger.cancel import cancel
from router.ledger.clock_set import see_clock
from router.ledger.desk import Desk
from router.ledger.diagnosis import diagnose
from router.ledger.due import Due, find_due
from router.ledger.engine import Engine, in_words
from router.ledger.generation import open_generation
from router.ledger.glance import Glance
from router.ledger.history import History
from router.ledger.identification import Identification
from router.ledger.lanes import list_lanes
from router.ledger.orders import Hands
from router.ledger.people import People
from router.ledger.record import give_back, release
from router.ledger.resend import resend, resent_among
from router.ledger.rulesets import keep_ruleset
from router.ledger.shapes import LedgerUnavailable
from router.ledger.slots import Hold, Slots
from router.ledger.upkeep import Upkeep
from router.ledger.writer import Writer
from router.scheduler import THREADS, Reply
from router.supervisor import Supervisor

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Mapping, Sequence

    import sqlalchemy as sa

    from router.ledger.people_shapes import Cancelled
    from router.ledger.shapes import (
        Accepted,
        DeliveryRow,
        Draft,
        EventRow,
        Filters,
        InHand,
        LaneRow,
        Resent,
        Tried,
    )
    from router.scheduler import Scheduler

T = TypeVar("T")

WRITER = "ledger-writer"
WRITER_SILENCE = 40.0
"""Seconds within which the writer comes round: each of its statements is bounded."""
ANSWERED_WITHIN = 15.0
"""Seconds after which who waits for the writer is told that the database does not answer."""
CLOSED_WITHIN = 15.0
"""Seconds that closing waits for what is queued to be written."""


class Ledger:
    """Events, rulesets, deliveries and attempts, on SQLite or PostgreSQL.

    Reading works at once. Writing by a service begins with `start`; before that, a write is one
    transaction of its own (as the commands do it).
    """

    def __init__(
        self,
        engine: Engine,
        now: Callable[[], float],
        scheduler: Scheduler = THREADS,
    ) -> None:
        self._engine = engine
        self._now = now
        self._scheduler = scheduler
        self._writer: Writer | None = None
        self._slots: Slots | None = None
        self._supervisor: Supervisor | None = None
        self.identity: Identification | None = None
        self.people = People(engine, now, self._call, self._list)
        self.history = History(engine)
        self.glance = Glance(self._list, now)
        self.desk = Desk(engine, now, self._call, self._list)
        self.backtests = Backtests(now, self._call, self._list)
        self.upkeep = Upkeep(engine, now, self._call, lambda: self.slot)

    def start(self, hands: Hands | None = None, supervisor: Supervisor | None = None) -> None:
        """Take a slot, make due what its last holder had in hand, and start the writer.

        Its thread is kept alive by `supervisor`; without one, by nobody.
        """
        self._slots = Slots(self._engine)
        with in_words(), self._engine.writing.begin() as connection:
            now = self._now()
            opening = open_generation(connection, self._engine, now)
            see_clock(connection, self._engine, opening.mark.deliveries, now)
        self.identity = Identification(self._engine, opening)
        slot = self._slots.mine
        self._writer = Writer(
            self._engine,
            slot=slot,
            uid=opening.mark.uid,
            now=self._now,
            scheduler=self._scheduler,
            identity=self.identity,
        )
        self._writer.attach(hands)
        self._supervisor = supervisor or Supervisor(self._scheduler)
        self._supervisor.keep(WRITER, self._writer.run, silence=WRITER_SILENCE)
        self._call(lambda connection: release(connection, slot, self._now()))

    def lost(self) -> tuple[str, ...]:
        """Why this process must not go on with the ledger, in words; nothing if it may."""
        reasons = [self.identity.lost] if self.identity and self.identity.lost else []
        if self.hold == "lost":
            reasons.append("its place among the processes was taken by another one")
        return tuple(reasons)

    def check_identity(self) -> None:
        """See that the database is the one that was opened: `lost` says so if it is not."""
        if self.identity is not None:
            self._read(self.identity.check)

    def close(self) -> bool:
        """Write what is queued, then let go of the database; answers whether all was written."""
        written = True
        if self._writer is not None and self._supervisor is not None:
            self._supervisor.release(WRITER)
            self._writer.stop()
            written = self._supervisor.join(WRITER, CLOSED_WITHIN)
            self._writer = None
            with contextlib.suppress(LedgerUnavailable):  # the mark stays some seconds behind
                self.check_identity()
        if self._slots is not None:
            self._slots.close()
            self._slots = None
        self._engine.close()
        return written

    def refuse_late(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell who has waited too long for an event to be written; call it in that loop."""
        if self._writer is not None:
            self._writer.refuse_late(loop)

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

    def give_back(
        self, held: Sequence[InHand], *, due_at: float | None = None, reason: str | None = None
    ) -> None:
        """Return what was taken in hand and not begun; with a `reason` it waits until `due_at`."""
        due = self._now() if due_at is None else due_at
        self._call(lambda connection: give_back(connection, self._engine, held, due, reason))

    def take_over(self) -> int:
        """Make due what dead processes had in hand; returns how many deliveries.

        It also holds this process' slot again where the session to PostgreSQL broke: see `hold`.
        Raises LedgerUnavailable when the database does not answer, or a slot cannot be looked at.
        """
        if self._slots is None:
            return 0
        try:
            dead = self._slots.dead()
        except (SQLAlchemyError, OSError) as error:
            raise LedgerUnavailable(diagnose(error).text) from None
        now = self._now()
        released = 0
        if dead:
            released = self._call(lambda c: sum(release(c, number, now) for number in dead))
        self._slots.settle()
        return released

    @property
    def hold(self) -> Hold:
        """What this process knew of its slot at the last `take_over`.

        With `lost` it must end: another process has its number, and what it has in hand.
        """
        return "held" if self._slots is None else self._slots.hold

    def keep_ruleset(self, hash_: str, files: Mapping[str, str]) -> None:
        """Keep the files a ruleset was read from, under its hash."""
        text = msgspec.json.encode(files).decode()
        self._call(lambda c: keep_ruleset(c, self._engine, hash_, text, self._now()))

    def resend(self, ids: Sequence[int], *, fresh_under: str | None = None) -> list[Resent]:
        """Send deliveries again: the stored words, or fresh ones under a ruleset's hash."""
        return self._call(
            lambda c: resend(c, self._engine, ids, fresh_under=fresh_under, now=self._now())
        )

    def cancel(self, ids: Sequence[int], *, author: str) -> list[Cancelled]:
        """Cancel those that wait, in the name of `author`; an answer for each."""
        return self._call(lambda c: cancel(c, self._engine, ids, author=author, now=self._now()))

    def check_writable(self) -> None:
        """Write one row; raises LedgerUnavailable in words if that cannot be."""
        self._call(lambda connection: note_checked(connection, self._now()))

    # --- reading ---

    def events(self, filters: Filters) -> list[EventRow]:
        return list(self._list(lambda c: read.list_events(c, filters)).rows)

    def deliveries(self, filters: Filters) -> list[DeliveryRow]:
        return list(self._list(lambda c: read.list_deliveries(c, filters)).rows)

    def resent(self, event_ids: Collection[int]) -> dict[int, str]:
        """Which deliveries of these events were sent again: the state of what was made last."""
        return self._list(lambda c: resent_among(c, self._engine, event_ids))

    def with_attempts(self, found: Sequence[DeliveryRow]) -> tuple[DeliveryRow, ...]:
        return self._list(lambda c: read.with_attempts(c, found))

    def event(self, event_id: int) -> EventRow | None:
        return self._list(lambda c: read.find_event(c, event_id))

    def delivery(self, delivery_id: int) -> DeliveryRow | None:
        return self._list(lambda c: read.find_delivery(c, delivery_id))

    def ruleset(self, hash_: str) -> dict[str, str] | None:
        return self._read(lambda c: read.find_ruleset(c, hash_))

    def thread(self, channel: str, case_key: str) -> str | None:
        return self._read(lambda c: read.find_thread(c, channel, case_key))

    def lanes(self) -> dict[str, LaneRow]:
        return self._read(list_lanes)

    def due(self, now: float) -> Due:
        """What is due by now, and what else a process needs to know each second."""
        return self._read(lambda c: find_due(c, self._engine, now))

    def pending(self) -> dict[str, int]:
        return self._list(read.count_pending)

    @property
    def backlog(self) -> int:
        """How many writes wait for the next commit."""
        return self._writer.waiting() if self._writer else 0

    @property
    def slot(self) -> int:
        """The number of this process among those that share the ledger; -1 for a command."""
        return -1 if self._slots is None else self._slots.mine

    @property
    def _running(self) -> Writer:
        if self._writer is None:
            raise AssertionError("the ledger was not started")
        return self._writer

    def _call(self, function: Callable[[sa.Connection], T]) -> T:
        if self._writer is None:
            with in_words(), self._engine.writing.begin() as connection:
                return function(connection)
        reply: Reply[T] = Reply(self._scheduler)
        self._writer.call(function, reply)
        try:
            return reply.wait(ANSWERED_WITHIN)
        except TimeoutError:
            raise LedgerUnavailable("the database does not answer") from None

    def _read(self, function: Callable[[sa.Connection], T]) -> T:
        """Ask what the service itself needs to know."""
        return self._engine.read(function, self._engine.reading)

    def _list(self, function: Callable[[sa.Connection], T]) -> T:
        """Ask for somebody who looks: a page, the API, or a command, which may take longer."""
        pool = self._engine.history if self._writer is None else self._engine.pages
        return self._engine.read(function, pool)
