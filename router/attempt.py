"""One attempt at a delivery: its words, the send, and what follows from the answer."""

from __future__ import annotations

import random
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
    ) -> None:
        self._ledger = ledger
        self._rules = rules
        self._metrics = metrics
        self._watching = watching
        self._now = now

    def make(self, held: InHand) -> Tried:
        """Make the words if there are none yet, send them, and decide what follows."""
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
                moment=held.moment,
                now=self._now(),
                luck=random.random(),  # noqa: S311 - spreads retries, guards nothing
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

    def _deliver(self, force: InForce, held: InHand) -> tuple[Message | None, Outcome]:
        channel = force.ruleset.channels.get(held.channel)
        if channel is None:
            return held.message, Outcome(kind="failed", detail=REMOVED.format(held.channel))
        message = held.message or self._render(force, held)
        thread = None
        if held.case_key and not held.listed and force.gateway.keeps_threads(held.channel):
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
            events=tuple(one.event for one in held.listed),
        )
        return message, force.gateway.send(delivery, message)

    def _render(self, force: InForce, held: InHand) -> Message:
        occasion = Occasion(
            events=tuple(one.event for one in held.listed),
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
