"""One attempt at a delivery: its words, the send, and what follows from the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.in_force import say
from router.ledger import Tried
from router.log import get_logger
from router.message import Delivery, Message, Outcome
from router.render import Occasion
from router.retry import Next, what_next

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.in_force import InForce, Rules
    from router.ledger import InHand, Ledger
    from router.metrics import Metrics
    from router.watch import Watching

REMOVED = "channel `{}` is no longer in the rules"
FAULT = "the router itself failed; its log says how"
FAULT_WAIT = 5.0
"""Seconds until an attempt that met a fault of ours is made again; doubled each time."""
FAULT_BUDGET = 86400.0
"""Seconds for which a delivery that only meets faults of ours is tried."""

_log = get_logger()


class Attempts:
    """Makes attempts, under the rules in force at that time. Threads share it."""

    def __init__(
        self,
        ledger: Ledger,
        rules: Rules,
        metrics: Metrics,
        watching: Watching,
        now: Callable[[], float],
        luck: Callable[[], float],
    ) -> None:
        """`luck` gives numbers from 0 to 1 that spread retries."""
        self._ledger = ledger
        self._rules = rules
        self._metrics = metrics
        self._watching = watching
        self._now = now
        self._luck = luck

    def make(self, held: InHand) -> Tried:
        """Make the words if there are none yet, send them, and decide what follows.

        Never raises: whatever fails here is logged in full, and the delivery is tried again.
        """
        at = self._now()
        try:
            return self._make(held, at)
        except BaseException:  # noqa: BLE001 - a renderer or plugin may even raise SystemExit
            _log.exception("attempt_fault", delivery_id=held.id, channel=held.channel)
            return self._after_fault(held, at)

    def _make(self, held: InHand, at: float) -> Tried:
        force = self._rules.current
        channel = force.ruleset.channels.get(held.channel)
        message = held.message
        if channel is None:
            outcome = Outcome(kind="failed", detail=REMOVED.format(held.channel))
            follows = Next("failed", outcome.detail)
        else:
            try:
                message = message or self._render(force, held)
                delivery = self._delivery(force, held)
            except Exception:  # noqa: BLE001 - it is logged in full, and nothing was sent yet
                _log.exception("delivery_fault", delivery_id=held.id, channel=held.channel)
                outcome = Outcome(kind="retry", detail=FAULT, elapsed=self._now() - at)
            else:
                outcome = force.gateway.send(delivery, message)
            # What is counted is the time that there was, should the clock have been set meanwhile.
            now = self._now()
            follows = what_next(
                outcome,
                channel.retry,
                attempt=held.attempt,
                moment=held.moment + max(0.0, now - at - outcome.elapsed),
                now=now,
                luck=self._luck(),
            )
        return Tried(
            delivery=held,
            at=at,
            outcome=outcome,
            state=follows.state,
            reason=follows.reason,
            due_at=follows.again_at if follows.state == "pending" else None,
            again_at=follows.again_at,
            message=message,
            fallback=channel.fallback if channel and follows.state == "failed" else None,
        )

    def _after_fault(self, held: InHand, at: float) -> Tried:
        """What follows when something failed that never should: nobody knows whether it arrived."""
        now = self._now()
        again_at = now + FAULT_WAIT * 2 ** min(held.attempt - 1, 9)
        over = again_at > held.moment + FAULT_BUDGET
        return Tried(
            delivery=held,
            at=at,
            outcome=Outcome(kind="ambiguous", detail=FAULT, elapsed=now - at),
            state="failed" if over else "pending",
            reason=FAULT,
            due_at=None if over else again_at,
            again_at=again_at,
        )

    def _delivery(self, force: InForce, held: InHand) -> Delivery:
        thread = None
        if held.case_key and not held.listed and force.gateway.keeps_threads(held.channel):
            thread = self._ledger.thread(held.channel, held.case_key)
        return Delivery(
            id=held.id,
            key=held.key,
            event=held.event,
            rule=held.rule,
            channel=held.channel,
            attempt=held.attempt,
            possible_repeat=held.unsure > 0,
            thread=thread,
            events=tuple(listed.event for listed in held.listed),
        )

    def _render(self, force: InForce, held: InHand) -> Message:
        occasion = Occasion(
            events=tuple(listed.event for listed in held.listed),
            held=held.held,
            step=held.step,
            gathered=bool(held.listed) and held.digest is None,
        )
        words = self._rules.words(held.ruleset)
        message = say(force, words, held.event, held.rule, held.channel, occasion)
        if message.fault is not None:
            self._metrics.template_faults.labels(held.rule, message.rung).inc()
            _log.error("template_failed", delivery_id=held.id, rule=held.rule, reason=message.fault)
            self._watching.template_failed(held.rule, held.channel, message.fault)
        return message
