"""The one writer of a process: it takes all there is to write, and commits once.

A commit costs a sync to disk whatever it holds, so concurrent requests share one. If a batch
fails, each part of it is tried alone, so that only the one at fault is refused.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from router.ledger.batch import Batch, Committed, commit, follow_ups
from router.ledger.diagnosis import diagnose
from router.ledger.orders import (
    AcceptOrder,
    CallOrder,
    ClaimOrder,
    Hands,
    Order,
    RecordOrder,
    StopOrder,
    refuse,
)
from router.ledger.shapes import Accepted, Claim, Draft, LedgerUnavailable, Tried
from router.log import get_logger
from router.scheduler import Empty

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from router.ledger.engine import Engine
    from router.ledger.identification import Identification
    from router.scheduler import Queue, Reply, Scheduler
    from router.supervisor import Beat

BATCH = 1024
QUEUE = 20_000
ROUND = 1.0
"""Seconds after which the writer comes round also where there is nothing to write."""
RETRY_AFTER = 1.0
PATIENCE = 5.0
"""Seconds to wait for a database that another process holds."""
ACCEPTED_WITHIN = 6.0
"""Seconds after which whoever posts is told to come again, whatever the writer is at: after
PATIENCE, so that the reason is the database's own where it has one."""
BUSY = 4
LINGER = 0.002
"""Seconds to wait for company under load (the last commit held more than BUSY orders), or with an
attempt to be recorded, which nobody waits for. An event that comes alone waits for nothing."""
TRIES = 3
"""How often a batch is written that the database itself asks to write again (a deadlock)."""

_log = get_logger()


class Writer:
    """Writes what it is given, in the order it is given it. `run` is its thread.

    The thread may end at any moment and `run` be called again in another one: what was queued is
    still there, and what it had begun is refused.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        slot: int,
        uid: str,
        now: Callable[[], float],
        scheduler: Scheduler,
        identity: Identification,
    ) -> None:
        self._engine = engine
        self._identity = identity
        self._slot = slot
        self._uid = uid
        self._now = now
        self._scheduler = scheduler
        self._hands: Hands | None = None
        self._queue: Queue[Order] = scheduler.queue()
        self._unrecorded: deque[RecordOrder] = deque()
        self._record_at = 0.0  # monotonic: when to try again to record
        self._waiting: deque[AcceptOrder] = deque()  # only touched in the event loop's thread
        self._begun: list[Order] = []
        self._steps: deque[Callable[[], None]] = deque()
        self._connection: sa.Connection | None = None
        self._last = 0
        self._doubtful: set[float] = set()

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
        while self._waiting and self._waiting[0].future.done():
            self._waiting.popleft()
        self._waiting.append(order)
        self._queue.put(order)
        return order.future

    def refuse_late(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell who has waited ACCEPTED_WITHIN seconds that nothing was written; call it in `loop`.

        What is already being written may still come to disk: then it is there twice, once the
        sender has sent it again.
        """
        late = loop.time() - ACCEPTED_WITHIN
        while self._waiting and (self._waiting[0].future.done() or self._waiting[0].at < late):
            order = self._waiting.popleft()
            if not order.future.done():
                order.future.set_exception(LedgerUnavailable("the database does not answer"))

    def claim(self, channel: str) -> None:
        """Queue a claim; what it brings goes to the hands."""
        self._queue.put(ClaimOrder(channel))

    def record(self, tried: Tried, done: Callable[[], None]) -> None:
        """Queue an attempt; `done` is called in the writer's thread once it is on disk.

        An attempt that cannot be written is kept and tried again until it can.
        """
        self._queue.put(RecordOrder(tried, done))

    def call(self, function: Callable[[sa.Connection], Any], reply: Reply[Any]) -> None:
        """Queue a function that runs inside a transaction."""
        self._queue.put(CallOrder(function, reply, self._scheduler.monotonic()))

    def stop(self) -> None:
        """Have it write what is queued, then end."""
        self._queue.put(StopOrder())

    def run(self, beat: Beat) -> None:
        """Write until it is stopped."""
        stopping = self._pick_up()
        while not stopping:
            beat()
            batch = self._take()
            stopping = any(isinstance(order, StopOrder) for order in batch)
            # What is called has a transaction of its own: it may lock what it likes.
            for order in batch:
                if isinstance(order, CallOrder) and not order.reply.abandoned:
                    beat()
                    self._write([order], beat)
            batch = [order for order in batch if not isinstance(order, StopOrder | CallOrder)]
            if batch:
                self._write(batch, beat)
            self._begun = []
        self._drop_connection()

    def _pick_up(self) -> bool:
        """Finish what a thread that ended had begun; answers whether it was to stop."""
        self._drop_connection()
        self._take_steps()
        begun, self._begun = self._begun, []
        fault = RuntimeError("the writer ended while it was at it")
        for order in begun:
            if not order.finished:
                self._refuse(order, fault)
        return any(isinstance(order, StopOrder) for order in begun)

    def _take(self) -> list[Order]:
        batch = self._begun = []  # from here on: should the thread end, none of it is lost
        try:
            batch.append(self._queue.get(timeout=ROUND))
            if self._last > BUSY or isinstance(batch[0], RecordOrder):
                self._scheduler.sleep(LINGER)
            while len(batch) < BATCH:
                batch.append(self._queue.get_nowait())
        except Empty:
            pass
        self._last = len(batch)
        if self._unrecorded and self._scheduler.monotonic() >= self._record_at:
            self._record_at = self._scheduler.monotonic() + RETRY_AFTER
            batch.extend(self._unrecorded)
            self._unrecorded.clear()
        batch[:] = [order for order in batch if not order.abandoned]
        return batch

    def _write(self, batch: Sequence[Order], beat: Beat) -> Exception | None:
        """Write a batch, one by one if that fails; returns what the database suffers from, if so.

        Then nothing else is tried: each would wait as long, and those who ask are told at once.
        """
        broken: Exception | None = None
        try:
            committed = self._commit(batch, beat)
        except Exception as error:  # noqa: BLE001 - whatever it is, the one who asked is told
            self._identity.note(error)
            if self._connection is None or self._engine.is_held(error):
                broken = error
            self._drop_broken(error)
            if broken is not None or len(batch) == 1:
                for order in batch:
                    self._refuse(order, error)
                return broken
        else:
            self._tell_all(committed)
            return None
        for order in batch:
            beat()
            if broken is not None:
                self._refuse(order, broken)
            else:
                broken = self._write([order], beat)
        return broken

    def _commit(self, batch: Sequence[Order], beat: Beat) -> Committed:
        for _ in range(TRIES - 1):
            try:
                return self._commit_once(batch, beat)
            except sa.exc.DBAPIError as error:
                if not self._engine.is_to_be_repeated(error):
                    raise
        return self._commit_once(batch, beat)

    def _commit_once(self, batch: Sequence[Order], beat: Beat) -> Committed:
        self._identity.require_known(begun=self._connection is not None)
        connection = self._connection or self._connect()
        # Else each of those who came together would wait for the same lock, one after the other.
        now, moment = self._now(), self._scheduler.monotonic()
        asked_at = batch[0].at if isinstance(batch[0], CallOrder) else moment
        self._engine.wait_at_most(connection, PATIENCE, moment - asked_at)
        ours = Batch(batch, self._hands, self._slot, self._uid, now, moment, self._doubtful)
        committed = commit(connection, self._engine, ours)
        self._identity.require(connection, beat)
        return committed

    def _connect(self) -> sa.Connection:
        """Begin a session; it is kept once it is known where it has led to."""
        connection = self._engine.writing.connect()
        try:
            self._engine.wait_at_most(connection, PATIENCE)
            self._identity.recognize(connection)
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        self._connection = connection
        return connection

    def _tell_all(self, committed: Committed) -> None:
        """Tell what is on disk; whatever goes wrong here, none of it is written again.

        What is not handed over is due again when its lease ends.
        """
        orders = committed.orders
        self._steps.extend(follow_ups(committed, self._hands))
        for order in orders:
            order.finished = True
        self._take_steps()

    def _take_steps(self) -> None:
        """Do what follows from a commit; what one step fails at does not concern the others."""
        while self._steps:
            step = self._steps.popleft()
            try:
                step()
            except Exception:  # noqa: BLE001 - it is logged in full
                _log.exception("not_handed_over")

    def _drop_broken(self, error: Exception) -> None:
        if isinstance(error, sa.exc.DBAPIError):
            self._drop_connection()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _refuse(self, order: Order, error: Exception) -> None:
        reason = LedgerUnavailable(diagnose(error).text)
        order.finished = True
        if isinstance(order, AcceptOrder):
            refuse(order, reason)
        elif isinstance(order, RecordOrder):
            order.finished = False
            self._unrecorded.append(order)
            self._record_at = self._scheduler.monotonic() + RETRY_AFTER
            self._tell("attempt", reason)
        elif isinstance(order, CallOrder):
            order.reply.fail(reason)
        elif isinstance(order, ClaimOrder) and self._hands:
            later = Claim((), more=False, next_due=self._now() + RETRY_AFTER)
            self._hands.claimed(order.channel, later)
            self._tell("claim", reason)

    def _tell(self, what: str, reason: LedgerUnavailable) -> None:
        if self._hands:
            self._hands.unwritten(what, str(reason))
