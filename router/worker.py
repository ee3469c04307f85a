"""The worker: claim what is due -> render -> deliver -> record the attempt.

Each channel is a lane of its own with a few threads, so that a far end that hangs holds up
nobody else. What was just accepted is handed over in memory; what waits is claimed when there is
room for it. The order of one case's deliveries on a channel is the ledger's business.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from router.attempt import Attempts
from router.chores import Chores
from router.delivery import SEND_DEADLINE
from router.lane import Lane
from router.ledger import Claim, InHand, LedgerUnavailable
from router.log import get_logger
from router.observe import observe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from router.in_force import Rules
    from router.ledger import Ledger
    from router.metrics import Metrics
    from router.rules import Rate

IN_HAND = 64
"""Deliveries of one channel in hand at most: with four threads and the longest send, the last of
them still begins within its lease."""
MARGIN = 5.0
POLL = 0.5
LOOK = 5.0
"""Seconds after which to look for timers again, whatever is known of the next."""

_log = get_logger()


class Worker:
    """Sends what is due, until it is stopped. It is the ledger's Hands."""

    def __init__(
        self, ledger: Ledger, rules: Rules, metrics: Metrics, now: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._rules = rules
        self._metrics = metrics
        self._now = now
        self._lanes: dict[str, Lane] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._clock = threading.Thread(target=self._watch, name="worker-clock", daemon=True)
        self._moment = 0.0  # of the next timer
        self._asked = False  # to look at once
        self._paused: frozenset[str] = frozenset()  # by operators, over all processes
        self._chores = Chores(ledger, rules, metrics, now)
        self._attempts = Attempts(ledger, rules, metrics, self._chores.watch, now)
        self.beat = now()

    def start(self) -> None:
        """Begin to claim."""
        self._clock.start()

    def heard(self, source: str, at: float) -> None:
        """An event of the source was accepted."""
        self._chores.watch.heard(source, at)

    def wake(self) -> None:
        """Look at once for what is due and what is paused (somebody changed something)."""
        self._asked = True
        self._wake.set()

    def stop(self, drain: float) -> int:
        """Stop claiming, finish what is being sent within `drain` seconds, give back the rest.

        Returns how many sends were left behind; they will be repeated, and marked.
        """
        self._stopping.set()
        self._wake.set()
        self._clock.join()
        lanes = list(self._lanes.values())
        self._give_back([held for lane in lanes for held in lane.empty()])
        threads = [thread for lane in lanes for thread in lane.threads]
        for lane in lanes:
            for _ in lane.threads:
                lane.queue.put(None)
        deadline = time.monotonic() + drain
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        # What a commit handed over while the lanes were being emptied.
        self._give_back([held for lane in lanes for held in lane.empty()])
        return sum(thread.is_alive() for thread in threads)

    # --- the ledger's Hands: called in the writer's thread ---

    def room(self, channel: str) -> int:
        if self._stopping.is_set():
            return 0
        if channel not in self._rules.current.ruleset.channels or self._is_paused(channel):
            return 0
        return max(0, IN_HAND - self._lane(channel).held)

    def free(self, channel: str) -> int:
        lane = self._lane(channel)
        if lane.more or self.rate(channel) is not None:
            return 0
        return self.room(channel)

    def rate(self, channel: str) -> Rate | None:
        known = self._rules.current.ruleset.channels.get(channel)
        return None if known is None else known.rate

    def take(self, in_hand: Sequence[InHand]) -> None:
        for delivery in in_hand:
            lane = self._lane(delivery.channel)
            with lane.lock:
                lane.held += 1
                start = not lane.idle and len(lane.threads) < self._threads(lane.channel)
                if start:
                    thread = threading.Thread(
                        target=self._send_all,
                        args=(lane,),
                        name=f"lane-{lane.channel}",
                        daemon=True,
                    )
                    lane.threads.append(thread)
            lane.queue.put(delivery)
            if start:
                thread.start()

    def wait(self, channel: str) -> None:
        lane = self._lane(channel)
        lane.more = True
        if self.room(channel):
            self._ledger.claim(channel)

    def later(self, moment: float) -> None:
        if moment < self._moment:
            self._moment = moment
            self._wake.set()

    def claimed(self, channel: str, claim: Claim) -> None:
        lane = self._lane(channel)
        lane.more, lane.rests = claim.more, claim.rests
        sooner = claim.next_due is not None and (lane.alarm is None or claim.next_due < lane.alarm)
        lane.alarm = claim.next_due
        self.take(claim.in_hand)
        if claim.more and self.room(channel):
            self._ledger.claim(channel)
        if sooner:
            self._wake.set()

    def unwritten(self, what: str, reason: str) -> None:
        _log.error("ledger_unavailable", what=what, reason=reason)

    # --- the clock's thread ---

    def _watch(self) -> None:
        polled = 0.0
        while not self._stopping.is_set():
            self.beat = now = self._now()
            try:
                self._fire(now)
                if self._asked or not 0 <= now - polled < POLL:
                    self._asked, polled = False, now
                    self._paused = self._find_paused()
                    self._chores.step(now)
                    self._claim(self._rules.current.ruleset.channels)
            except LedgerUnavailable as error:
                _log.error("ledger_unavailable", reason=str(error))
                self._moment = now + POLL
            self._claim([c for c, lane in list(self._lanes.items()) if _rings(lane, now)])
            self._sleep(polled + POLL)

    def _fire(self, now: float) -> None:
        while self._moment <= now and not self._stopping.is_set():
            fired = self._ledger.fire(self._rules.current.table.terms)
            # Another process may have written an earlier one and be gone.
            self._moment = min(fired.next_moment or now + LOOK, now + LOOK)
            self._claim(fired.channels)

    def _find_paused(self) -> frozenset[str]:
        lanes = self._ledger.lanes().items()
        return frozenset(channel for channel, lane in lanes if lane.pause is not None)

    def _claim(self, channels: Iterable[str]) -> None:
        for channel in channels:
            lane = self._lane(channel)
            lane.alarm = None
            if self.room(channel):
                self._ledger.claim(channel)
            else:
                lane.more = True  # to be claimed when there is room

    def _sleep(self, end: float) -> None:
        """Wait until something is due, the poll's time is over, or somebody calls."""
        while not (self._stopping.is_set() or self._asked):
            alarms = [lane.alarm for lane in list(self._lanes.values()) if lane.alarm is not None]
            now = self._now()
            wait = min([end, self._moment, *alarms]) - now
            if wait <= 0 or wait > POLL:  # over, or the clock was set back
                return
            if self._wake.wait(wait):
                self._wake.clear()

    # --- a lane's threads ---

    def _send_all(self, lane: Lane) -> None:
        while True:
            with lane.lock:
                lane.idle += 1
            delivery = lane.queue.get()
            with lane.lock:
                lane.idle -= 1
            if delivery is None:
                return
            late = delivery.lease - self._now() < SEND_DEADLINE + MARGIN
            if late or self._is_paused(lane.channel):
                self._give_back([delivery])
            elif not self._hold(delivery) and self._pace(lane, delivery):
                tried = self._attempts.make(delivery)
                self._ledger.record(tried, lambda: self._done(lane))
                observe(tried, self._metrics, self._now())
                continue
            self._done(lane)

    def _is_paused(self, channel: str) -> bool:
        known = self._rules.current.ruleset.channels.get(channel)
        return channel in self._paused or (known is not None and known.paused)

    def _hold(self, held: InHand) -> bool:
        """Whether the rule's hours ended while it waited; then it waits until they begin."""
        if held.listed and held.digest is None:
            return False  # what is many rules' goes while it can
        closed = self._rules.current.table.closed_until(held.rule, self._now())
        if closed is None:
            return False
        self._give_back([held], due_at=closed[0], reason=closed[1])
        return True

    def _pace(self, lane: Lane, held: InHand) -> bool:
        """Wait for the channel's rate; False if it is given back because the process stops."""
        wait = lane.spacing(self.rate(lane.channel), self._now())
        if wait > 0 and self._stopping.wait(wait):
            self._give_back([held])
            return False
        return True

    def _done(self, lane: Lane) -> None:
        with lane.lock:
            lane.held -= 1
            claim = lane.rests or (lane.more and lane.held <= IN_HAND // 2)
        if claim and not self._stopping.is_set():
            self._ledger.claim(lane.channel)

    def _give_back(
        self, held: Sequence[InHand], due_at: float | None = None, reason: str | None = None
    ) -> None:
        if not held:
            return
        try:
            self._ledger.give_back(held, due_at=due_at, reason=reason)
        except LedgerUnavailable as error:
            # Nothing is lost: they are due again when their lease ends.
            _log.error("not_given_back", deliveries=len(held), reason=str(error))

    def _lane(self, channel: str) -> Lane:
        lane = self._lanes.get(channel)
        if lane is None:
            with self._lock:
                lane = self._lanes.setdefault(channel, Lane(channel))
        return lane

    def _threads(self, channel: str) -> int:
        known = self._rules.current.ruleset.channels.get(channel)
        return known.concurrency if known else 1


def _rings(lane: Lane, now: float) -> bool:
    return lane.alarm is not None and lane.alarm <= now
