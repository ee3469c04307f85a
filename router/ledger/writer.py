"""The one writer of a process: it takes all there is to write, and commits once.

A commit costs a sync to disk whatever it holds, so concurrent requests share one. If a batch
fails, each part of it is tried alone, so that only the one at fault is refused.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from router.ledger.accept import accept
from router.ledger.claim import claim
from router.ledger.orders import (
    AcceptOrder,
    CallOrder,
    ClaimOrder,
    Hands,
    Order,
    RecordOrder,
    StopOrder,
    refuse,
    settle,
)
from router.ledger.record import record
from router.ledger.shapes import Accepted, Claim, Draft, LedgerUnavailable, Tried
from router.ledger.turns import lock_cases
from router.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from router.ledger.accept import Written
    from router.ledger.engine import Engine

BATCH = 1024
QUEUE = 20_000
RETRY_AFTER = 1.0
PATIENCE = 5.0
"""Seconds to wait for a database that another process holds: whoever posts an event is told to
come again before giving up on its own."""
BUSY = 4
LINGER = 0.002
"""Seconds to wait for company when the last commit held more than BUSY orders (under load a
shared commit saves more than the wait costs), or when what comes first is an attempt to be
recorded, which nobody waits for. An event that comes alone waits for nothing."""

_log = get_logger()


class _Committed(NamedTuple):
    """A batch that is on disk, and what is to be told of it."""

    batch: Sequence[Order]
    written: Written
    freed: set[str]
    claimed: dict[str, Claim]
    results: list[Any]


class Writer:
    """A thread that writes what it is given, in the order it is given it."""

    def __init__(self, engine: Engine, *, slot: int, uid: str, now: Callable[[], float]) -> None:
        self._engine = engine
        self._slot = slot
        self._uid = uid
        self._now = now
        self._hands: Hands | None = None
        self._queue: SimpleQueue[Order] = SimpleQueue()
        self._unrecorded: deque[RecordOrder] = deque()
        self._connection: sa.Connection | None = None
        self._last = 0
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def attach(self, hands: Hands | None) -> None:
        self._hands = hands

    def waiting(self) -> int:
        """How many orders are not yet begun."""
        return self._queue.qsize()

    def accept(self, draft: Draft) -> asyncio.Future[Accepted]:
        """Queue a draft; the future is set once it is on disk, or with LedgerUnavailable."""
        if self._queue.qsize() > QUEUE:
            raise LedgerUnavailable("more events arrive than can be written down")
        order = AcceptOrder(draft)
        self._queue.put(order)
        return order.future

    def claim(self, channel: str) -> None:
        """Queue a claim; what it brings goes to the hands."""
        self._queue.put(ClaimOrder(channel))

    def record(self, tried: Tried, done: Callable[[], None]) -> None:
        """Queue an attempt; `done` is called in the writer's thread once it is on disk.

        An attempt that cannot be written is kept and tried again until it can.
        """
        self._queue.put(RecordOrder(tried, done))

    def call(self, function: Callable[[sa.Connection], Any], future: Future[Any]) -> None:
        """Queue a function that runs inside a transaction."""
        self._queue.put(CallOrder(function, future))

    def stop(self) -> None:
        """Write what is queued, then end."""
        self._queue.put(StopOrder())
        self._thread.join()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            batch = self._take()
            stopping = any(isinstance(order, StopOrder) for order in batch)
            # What is called has a transaction of its own: it may lock what it likes.
            for order in batch:
                if isinstance(order, CallOrder):
                    self._write([order])
            batch = [order for order in batch if not isinstance(order, StopOrder | CallOrder)]
            if batch:
                self._write(batch)
        if self._connection is not None:
            self._connection.close()

    def _take(self) -> list[Order]:
        batch: list[Order] = []
        try:
            batch.append(self._queue.get(timeout=RETRY_AFTER if self._unrecorded else None))
            if self._last > BUSY or isinstance(batch[0], RecordOrder):
                time.sleep(LINGER)
            while len(batch) < BATCH:
                batch.append(self._queue.get_nowait())
        except Empty:
            pass
        self._last = len(batch)
        batch.extend(self._unrecorded)
        self._unrecorded.clear()
        return batch

    def _write(self, batch: Sequence[Order]) -> Exception | None:
        """Write a batch, one by one if that fails; returns what the database suffers from, if so.

        Then nothing else is tried: each would wait as long, and those who ask are told at once.
        """
        broken: Exception | None = None
        try:
            committed = self._commit(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the one who asked is told
            if self._connection is None or self._engine.is_held(error):
                broken = error
            self._drop_connection(error)
            if broken is not None or len(batch) == 1:
                for order in batch:
                    self._refuse(order, error)
                return broken
        else:
            self._tell_all(committed)
            return None
        for order in batch:
            if broken is not None:
                self._refuse(order, broken)
            else:
                broken = self._write([order])
        return broken

    def _commit(self, batch: Sequence[Order]) -> _Committed:
        now, hands, engine = self._now(), self._hands, self._engine
        drafts = [order for order in batch if isinstance(order, AcceptOrder)]
        tried = [order for order in batch if isinstance(order, RecordOrder)]
        claims = dict.fromkeys(order.channel for order in batch if isinstance(order, ClaimOrder))
        calls = [order for order in batch if isinstance(order, CallOrder)]
        if self._connection is None:
            self._connection = engine.writing.connect()
            engine.wait_at_most(self._connection, PATIENCE)
        connection = self._connection
        with connection.begin():
            lock_cases(connection, engine, _cases(drafts, tried))
            freed: set[str] = set()
            if tried:
                done = [order.tried for order in tried]
                freed = record(connection, engine, done, slot=self._slot, now=now)
            written = accept(
                connection,
                engine,
                [order.draft for order in drafts],
                room=hands.free if hands else _no_room,
                slot=self._slot,
                uid=self._uid,
                now=now,
            )
            taken: dict[str, int] = {}
            for delivery in written.in_hand:
                taken[delivery.channel] = taken.get(delivery.channel, 0) + 1
            claimed = {
                channel: claim(
                    connection,
                    engine,
                    channel=channel,
                    rate=hands.rate(channel) if hands else None,
                    room=hands.room(channel) - taken.get(channel, 0) if hands else 0,
                    slot=self._slot,
                    uid=self._uid,
                    now=now,
                )
                for channel in claims
            }
            results = [order.function(connection) for order in calls]
            if (written.waiting or freed) and not engine.sqlite:
                connection.exec_driver_sql("NOTIFY router_deliveries")
        return _Committed(batch, written, freed, claimed, results)

    def _tell_all(self, committed: _Committed) -> None:
        """Tell what is on disk; whatever goes wrong here, none of it is written again."""
        batch, written = committed.batch, committed.written
        try:
            self._hand_over(committed)
        except Exception:  # noqa: BLE001 - it is logged in full; what nobody took is due by its lease
            _log.exception("not_handed_over", deliveries=len(written.in_hand))
        settle([order for order in batch if isinstance(order, AcceptOrder)], written.accepted)
        calls = [order for order in batch if isinstance(order, CallOrder)]
        for call, result in zip(calls, committed.results, strict=True):
            call.future.set_result(result)

    def _hand_over(self, committed: _Committed) -> None:
        hands, written = self._hands, committed.written
        if hands:
            hands.take(written.in_hand)
            for channel, found in committed.claimed.items():
                hands.claimed(channel, found)
            for channel in written.waiting | committed.freed:
                hands.wait(channel)
            if written.first_moment is not None:
                hands.later(written.first_moment)
        for order in committed.batch:
            if isinstance(order, RecordOrder):
                order.done()

    def _drop_connection(self, error: Exception) -> None:
        if self._connection is not None and isinstance(error, sa.exc.DBAPIError):
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _refuse(self, order: Order, error: Exception) -> None:
        reason = LedgerUnavailable(_in_words(error))
        if isinstance(order, AcceptOrder):
            refuse(order, reason)
        elif isinstance(order, RecordOrder):
            self._unrecorded.append(order)
            self._tell("attempt", reason)
        elif isinstance(order, CallOrder):
            order.future.set_exception(reason)
        elif isinstance(order, ClaimOrder) and self._hands:
            later = Claim((), more=False, next_due=self._now() + RETRY_AFTER)
            self._hands.claimed(order.channel, later)
            self._tell("claim", reason)

    def _tell(self, what: str, reason: LedgerUnavailable) -> None:
        if self._hands:
            self._hands.unwritten(what, str(reason))


def _cases(drafts: Sequence[AcceptOrder], tried: Sequence[RecordOrder]) -> set[str | None]:
    """The cases whose turns a batch may change."""
    posted = {o.draft.event.case_key for o in drafts if o.draft.planned or o.draft.cancels}
    return posted.union(*(order.tried.delivery.cases for order in tried))


def _no_room(_channel: str) -> int:
    return 0


def _in_words(error: Exception) -> str:
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        return str(error.orig).splitlines()[0][:200]
    return f"{type(error).__name__}: {error}"[:200]
