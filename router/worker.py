"""The worker: claim what is due -> render -> deliver -> record the attempt.

Each channel is a lane of its own, so that a far end that hangs holds up nobody else. What was just
accepted is handed over in memory; what waits is claimed when there is room for it. The order of
one case's deliveries on a channel is the ledger's business.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from router.attempt import Attempts
from router.chores import Chores
from router.clock import Clock
from router.lane import Lane
from router.ledger import LedgerUnavailable
from router.log import Repeated
from router.scheduler import THREADS
from router.senders import Senders
from router.sending import Sending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.in_force import Rules
    from router.ledger import Claim, InHand, Ledger
    from router.metrics import Metrics
    from router.rules import Rate
    from router.scheduler import Scheduler
    from router.supervisor import Supervisor

IN_HAND = 64
"""Deliveries of one channel in hand at most: with four threads and the longest send, the last of
them still begins within its lease."""
CLOCK = "worker-clock"
CLOCK_SILENCE = 40.0
"""Seconds within which the clock comes round: each of its questions to the ledger is bounded."""


class Worker:
    """Sends what is due, until it is stopped. It is the ledger's Hands."""

    def __init__(
        self,
        ledger: Ledger,
        rules: Rules,
        metrics: Metrics,
        now: Callable[[], float],
        *,
        scheduler: Scheduler = THREADS,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._ledger = ledger
        self._rules = rules
        self._scheduler = scheduler
        self._lanes: dict[str, Lane] = {}
        self._lock = scheduler.lock()
        self._stopping = scheduler.event()
        self._unwritten = Repeated("ledger")
        chores = Chores(ledger, rules, metrics, scheduler, now)
        self._watch = chores.watch
        attempts = Attempts(ledger, rules, metrics, chores.watch, now, luck)
        self._sending = Sending(
            ledger, rules, metrics, attempts, scheduler, self._stopping, self._claim_more, now
        )
        self._senders = Senders(scheduler, self._sending.send_next, self._concurrency)
        self.clock = Clock(self, ledger, rules, chores, self._stopping, scheduler, now)

    def start(self, supervisor: Supervisor) -> None:
        """Begin to claim and to send, under a supervisor."""
        supervisor.demand(self._senders.faults)
        supervisor.keep(CLOCK, self.clock.run, silence=CLOCK_SILENCE)

    def heard(self, source: str, at: float) -> None:
        """An event of the source was accepted."""
        self._watch.heard(source, at)

    def wake(self) -> None:
        """Look at once for what is due and what is paused (somebody changed something)."""
        self.clock.wake()

    def stop(self, supervisor: Supervisor, drain: float) -> int:
        """Stop claiming, finish what is being sent within `drain` seconds, give back the rest.

        Returns how many sends were left behind; they will be repeated, and marked.
        """
        self._stopping.set()
        supervisor.release(CLOCK)
        self.clock.wake()
        supervisor.join(CLOCK, drain)
        lanes = list(self._lanes.values())
        self._sending.give_back([held for lane in lanes for held in lane.empty()])
        left = self._senders.stop(drain)
        # What a commit handed over while the lanes were being emptied.
        self._sending.give_back([held for lane in lanes for held in lane.empty()])
        return left

    # --- what the clock asks and says ---

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Every channel that something was in hand of."""
        return tuple(self._lanes.values())

    def lane(self, channel: str) -> Lane:
        lane = self._lanes.get(channel)
        if lane is None:
            with self._lock:
                lane = self._lanes.setdefault(channel, Lane(channel, self._scheduler))
        return lane

    def pause(self, channels: frozenset[str]) -> None:
        """Note which channels operators hold up."""
        self._sending.paused = channels

    def claim(self, channel: str) -> None:
        """Claim what is due of a channel, now or when there is room for it."""
        lane = self.lane(channel)
        lane.alarm = None
        if self.room(channel):
            self._ledger.claim(channel)
        else:
            lane.more = True  # to be claimed when there is room

    def step(self) -> None:
        """Look after the threads that send, who cuts them off, and what could not be given
        back."""
        self._rules.watchdog.ensure()
        self._senders.step(self.lanes)
        self._sending.return_again()

    # --- the ledger's Hands: called in the writer's thread ---

    def room(self, channel: str) -> int:
        if self._stopping.is_set():
            return 0
        known = channel in self._rules.current.ruleset.channels
        if not known or self._sending.is_paused(channel):
            return 0
        # What a claim lets go by a rate goes now: waiting here behind sends that hang, it would go
        # later, together with what other processes claim then.
        most = IN_HAND if self.rate(channel) is None else self._concurrency(channel)
        return max(0, most - self.lane(channel).held)

    def free(self, channel: str) -> int:
        if self.lane(channel).more or self.rate(channel) is not None:
            return 0
        return self.room(channel)

    def rate(self, channel: str) -> Rate | None:
        return self._sending.rate(channel)

    def take(self, in_hand: Sequence[InHand]) -> None:
        for delivery in in_hand:
            lane = self.lane(delivery.channel)
            with lane.lock:
                lane.held += 1
            lane.queue.put(delivery)
            self._senders.serve(lane)

    def wait(self, channel: str) -> None:
        self.lane(channel).more = True
        if self.room(channel):
            self._ledger.claim(channel)

    def later(self, moment: float) -> None:
        self.clock.later(moment)

    def claimed(self, channel: str, claim: Claim) -> None:
        lane = self.lane(channel)
        full = not claim.in_hand and not self.room(channel)
        lane.more, lane.rests = claim.more or full, claim.rests
        sooner = claim.next_due is not None and (lane.alarm is None or claim.next_due < lane.alarm)
        lane.alarm = claim.next_due
        lane.idle_until = 0.0 if claim.in_hand else claim.next_due or 0.0
        if claim.in_hand:
            lane.moved_at = self._scheduler.monotonic()
        self.take(claim.in_hand)
        if claim.more and self.room(channel):
            self._ledger.claim(channel)
        if sooner:
            self.clock.look_up()

    def unwritten(self, what: str, reason: str) -> None:
        self._unwritten.note(what, LedgerUnavailable(reason), expected=True)

    # --- where a place is free again ---

    def _claim_more(self, lane: Lane) -> None:
        wanted = lane.rests or (lane.more and lane.held <= IN_HAND // 2)
        if wanted and not self._stopping.is_set():
            self._ledger.claim(lane.channel)

    def _concurrency(self, channel: str) -> int:
        known = self._rules.current.ruleset.channels.get(channel)
        return known.concurrency if known else 1
