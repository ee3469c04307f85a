"""The worker: claim what is due -> render -> deliver -> record the attempt.

Each channel is a lane of its own with a few threads, so that a far end that hangs holds up
nobody else. What was just accepted is handed over in memory; what waits is claimed when there is
room for it. The order of one case's deliveries on a channel is the ledger's business.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

from router.delivery import SEND_DEADLINE
from router.in_force import say
from router.lane import Lane
from router.ledger import Claim, InHand, LedgerUnavailable, Tried
from router.log import get_logger
from router.message import Delivery, Message, Outcome
from router.observe import observe
from router.retry import Next, what_next

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.in_force import InForce, Rules
    from router.ledger import Ledger
    from router.metrics import Metrics

IN_HAND = 64
"""Deliveries of one channel in hand at most: with four threads and the longest send, the last of
them still begins within its lease."""
MARGIN = 5.0
POLL = 0.5
REMOVED = "channel `{}` is no longer in the rules"

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
        self.beat = now()

    def start(self) -> None:
        """Begin to claim."""
        self._clock.start()

    def wake(self) -> None:
        """Look at once for what is due (the rules changed, or another process wrote)."""
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
        deadline = self._now() + drain
        for thread in threads:
            thread.join(max(0.0, deadline - self._now()))
        # What a commit handed over while the lanes were being emptied.
        self._give_back([held for lane in lanes for held in lane.empty()])
        return sum(thread.is_alive() for thread in threads)

    # --- the ledger's Hands: called in the writer's thread ---

    def room(self, channel: str) -> int:
        if self._stopping.is_set():
            return 0
        known = self._rules.current.ruleset.channels.get(channel)
        if known is None or known.paused:
            return 0
        return max(0, IN_HAND - self._lane(channel).held)

    def free(self, channel: str) -> int:
        lane = self._lane(channel)
        return 0 if lane.more or lane.blocked else self.room(channel)

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

    def claimed(self, channel: str, claim: Claim) -> None:
        lane = self._lane(channel)
        lane.more = claim.more == "more"
        lane.blocked = claim.more == "blocked"
        sooner = claim.next_due is not None and (lane.alarm is None or claim.next_due < lane.alarm)
        lane.alarm = claim.next_due
        self.take(claim.in_hand)
        if sooner:
            self._wake.set()

    def unwritten(self, what: str, reason: str) -> None:
        _log.error("ledger_unavailable", what=what, reason=reason)

    # --- the clock's thread ---

    def _watch(self) -> None:
        taken_over = 0.0
        while not self._stopping.is_set():
            self.beat = now = self._now()
            for channel in self._rules.current.ruleset.channels:
                if self.room(channel):
                    self._ledger.claim(channel)
            if now - taken_over > 1.0:
                taken_over = now
                self._take_over()
            self._sleep()

    def _sleep(self) -> None:
        """Wait until the next delivery is due, the poll's time is over, or somebody calls."""
        end = self._now() + POLL
        while not self._stopping.is_set():
            alarms = [lane.alarm for lane in list(self._lanes.values()) if lane.alarm is not None]
            wait = min([end, *alarms]) - self._now()
            if wait <= 0:
                for lane in list(self._lanes.values()):
                    if lane.alarm is not None and lane.alarm <= self._now():
                        lane.alarm = None
                return
            if self._wake.wait(wait):
                self._wake.clear()

    def _take_over(self) -> None:
        try:
            released = self._ledger.take_over()
        except LedgerUnavailable as error:
            _log.error("ledger_unavailable", reason=str(error))
            return
        if released:
            _log.warning("taken_over", deliveries=released)

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
            if delivery.lease - self._now() < SEND_DEADLINE + MARGIN:
                self._give_back([delivery])
                self._done(lane)
                continue
            self._send(lane, delivery)

    def _send(self, lane: Lane, held: InHand) -> None:
        at = self._now()
        force = self._rules.current
        message = held.message
        try:
            message, outcome = self._deliver(force, held)
        except Exception:  # noqa: BLE001 - it is logged in full, and the delivery is tried again
            _log.exception("delivery_fault", delivery_id=held.id, channel=held.channel)
            detail = "the router itself failed; its log says how"
            outcome = Outcome(kind="retry", detail=detail, elapsed=self._now() - at)
        channel = force.ruleset.channels.get(held.channel)
        if channel is None:
            follows = Next("failed", outcome.detail)
        else:
            follows = what_next(
                outcome,
                channel.retry,
                attempt=held.attempt,
                created_at=held.created_at,
                now=self._now(),
                luck=random.random(),  # noqa: S311 - spreads retries, guards nothing
            )
        tried = Tried(
            delivery=held,
            at=at,
            outcome=outcome,
            state=follows.state,
            reason=follows.reason,
            due_at=follows.due_at,
            message=message,
            fallback=channel.fallback if channel and follows.state == "failed" else None,
        )
        self._ledger.record(tried, lambda: self._done(lane))
        observe(tried, self._metrics, self._now())

    def _deliver(self, force: InForce, held: InHand) -> tuple[Message | None, Outcome]:
        channel = force.ruleset.channels.get(held.channel)
        if channel is None:
            return held.message, Outcome(kind="failed", detail=REMOVED.format(held.channel))
        message = held.message or self._render(force, held)
        thread = None
        if held.case_key and force.gateway.keeps_threads(held.channel):
            thread = self._ledger.thread(held.channel, held.case_key)
        delivery = Delivery(
            id=held.id,
            key=held.key,
            event=held.event,
            rule=held.rule,
            channel=held.channel,
            attempt=held.attempt,
            possible_repeat=held.unsure > 0,
            thread=thread,
        )
        return message, force.gateway.send(delivery, message)

    def _render(self, force: InForce, held: InHand) -> Message:
        words = self._rules.words(held.ruleset)
        message = say(force, words, held.event, held.rule, held.channel)
        if message.fault is not None:
            self._metrics.template_faults.labels(held.rule, message.rung).inc()
            _log.error("template_failed", delivery_id=held.id, rule=held.rule, reason=message.fault)
        return message

    def _done(self, lane: Lane) -> None:
        with lane.lock:
            lane.held -= 1
            # A claim looks through what waits: it is worth more once there is room for many.
            claim = (lane.blocked or lane.more) and lane.held <= IN_HAND // 2
        if claim and not self._stopping.is_set():
            self._ledger.claim(lane.channel)

    def _give_back(self, held: Sequence[InHand]) -> None:
        if not held:
            return
        try:
            self._ledger.give_back(held)
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
