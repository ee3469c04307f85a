"""One delivery in hand: is its channel paused, its rule's hours over, its turn by the rate? Then
the attempt, and its record."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from router.delivery import SEND_DEADLINE
from router.ledger import LedgerUnavailable
from router.log import get_logger
from router.observe import observe
from router.scheduler import Empty

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.attempt import Attempts
    from router.in_force import Rules
    from router.lane import Lane
    from router.ledger import InHand, Ledger
    from router.metrics import Metrics
    from router.rules import Rate
    from router.scheduler import Event, Scheduler
    from router.senders import Job

MARGIN = 5.0
FAULT_WAIT = 5.0
WAITS_FOR_RATE = "it waits for its channel's rate"
FAULT = "the router itself failed before it was sent; its log says how"
PACE_PATIENCE = 30.0
"""Seconds that a thread waits for the rate, far less than a lease: it is longer only where the
clock that the ledger goes by was set forward, and a slow rate holds still."""
MAX_RETURNS = 20_000
"""Deliveries that wait to be given back while the database does not answer; those beyond are due
again when their lease ends."""
RETURNED_AT_ONCE = 500
"""Of these, how many are given back in one transaction."""

_log = get_logger()


class Sending:
    """Sends what lanes hold. Threads share it."""

    def __init__(
        self,
        ledger: Ledger,
        rules: Rules,
        metrics: Metrics,
        attempts: Attempts,
        scheduler: Scheduler,
        stopping: Event,
        claim: Callable[[Lane], None],
        now: Callable[[], float],
    ) -> None:
        """`claim` is asked whether a lane needs more each time a place in it is free again."""
        self._ledger = ledger
        self._rules = rules
        self._metrics = metrics
        self._attempts = attempts
        self._scheduler = scheduler
        self._stopping = stopping
        self._claim = claim
        self._now = now
        self._returns: deque[tuple[InHand, float | None, str | None]] = deque(maxlen=MAX_RETURNS)
        self.paused: frozenset[str] = frozenset()
        """Channels that operators hold up, over all processes."""

    def send_next(self, job: Job) -> None:
        """Take the next delivery of a lane and do what is to be done with it."""
        lane = job.lane
        try:
            delivery = lane.queue.get_nowait()
        except Empty:
            return
        lane.moved_at = self._scheduler.monotonic()
        recording = False
        try:
            recording = self._send(job, delivery)
        except BaseException:  # noqa: BLE001 - logged in full; it was not begun, and is given back
            _log.exception("sending_fault", delivery_id=delivery.id, channel=lane.channel)
            self.give_back([delivery], due_at=self._now() + FAULT_WAIT, reason=FAULT)
        finally:
            if not recording:
                self._free(job)

    def is_paused(self, channel: str) -> bool:
        known = self._rules.current.ruleset.channels.get(channel)
        return channel in self.paused or (known is not None and known.paused)

    def rate(self, channel: str) -> Rate | None:
        known = self._rules.current.ruleset.channels.get(channel)
        return None if known is None else known.rate

    def give_back(
        self, held: Sequence[InHand], due_at: float | None = None, reason: str | None = None
    ) -> None:
        """Return deliveries that were not begun; kept for `return_again` if that cannot be now."""
        if not held:
            return
        try:
            self._ledger.give_back(held, due_at=due_at, reason=reason)
        except LedgerUnavailable as error:
            _log.error("not_given_back", deliveries=len(held), reason=str(error))
            self._returns.extend((delivery, due_at, reason) for delivery in held)

    def return_again(self) -> None:
        """Give back what could not be given back before; raises LedgerUnavailable."""
        while self._returns:
            part, due_at, reason = self._take_returns()
            try:
                self._ledger.give_back(part, due_at=due_at, reason=reason)
            except LedgerUnavailable:
                self._returns.extendleft((delivery, due_at, reason) for delivery in reversed(part))
                raise

    def _take_returns(self) -> tuple[list[InHand], float | None, str | None]:
        """The first of what is to be given back, with what follows and goes the same way."""
        first, due_at, reason = self._returns.popleft()
        part = [first]
        while self._returns and len(part) < RETURNED_AT_ONCE:
            one = self._returns.popleft()
            if one[1:] != (due_at, reason):
                self._returns.appendleft(one)
                break
            part.append(one[0])
        return part, due_at, reason

    def _send(self, job: Job, delivery: InHand) -> bool:
        """Send a delivery, or give it back; answers whether its attempt is being recorded."""
        if self._seconds_left(delivery) < SEND_DEADLINE + MARGIN or self.is_paused(
            delivery.channel
        ):
            self.give_back([delivery])
            return False
        if self._hold(delivery) or not self._pace(job.lane, delivery):
            return False
        tried = self._attempts.make(delivery)
        self._ledger.record(tried, lambda: self._free(job))
        try:
            observe(tried, self._metrics, self._now())
        except Exception:  # noqa: BLE001 - the attempt stands, whoever counts it
            _log.exception("observe_fault", delivery_id=delivery.id)
        return True

    def _seconds_left(self, delivery: InHand) -> float:
        """For how many seconds the delivery is this process' yet."""
        left = delivery.lease - self._now()
        return min(left, delivery.lapses_at - self._scheduler.monotonic())

    def _hold(self, delivery: InHand) -> bool:
        """Whether the rule's hours ended while it waited; then it waits until they begin."""
        if delivery.listed and delivery.digest is None:
            return False  # what is many rules' goes while it can
        closed = self._rules.current.table.closed_until(delivery.rule, self._now())
        if closed is None:
            return False
        self.give_back([delivery], due_at=closed[0], reason=closed[1])
        return True

    def _pace(self, lane: Lane, delivery: InHand) -> bool:
        """Wait for the channel's rate; False if it is given back because that takes long or the
        process stops."""
        wait = lane.spacing(self.rate(lane.channel), self._scheduler.monotonic(), PACE_PATIENCE)
        if wait > PACE_PATIENCE:
            self.give_back([delivery], due_at=self._now() + wait, reason=WAITS_FOR_RATE)
            return False
        if wait > 0 and self._stopping.wait(wait):
            self.give_back([delivery])
            return False
        return True

    def _free(self, job: Job) -> None:
        """Give a place of the lane free, once, and ask for more."""
        lane = job.lane
        with lane.lock:
            if job.lost:
                return
            lane.held -= 1
        lane.moved_at = self._scheduler.monotonic()
        self._claim(lane)
