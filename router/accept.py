"""Accept: decode a posted body, route it, and write down the event with all that it causes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.event import Event, Undecodable, decode
from router.ledger import Draft
from router.log import get_logger

if TYPE_CHECKING:
    from router.ledger import Ledger
    from router.metrics import Metrics
    from router.route import Routing, RoutingTable

_log = get_logger()


class Receipt(msgspec.Struct, frozen=True):
    """What was written down; `rejected` says why a body is no event."""

    event: int
    deliveries: int
    rejected: str | None = None


async def accept(
    body: bytes, source: str, *, table: RoutingTable, ledger: Ledger, metrics: Metrics, now: float
) -> Receipt:
    """Write a posted body down and return once it is on disk.

    A body that is no event is kept as a rejected one. Raises LedgerUnavailable if nothing could
    be written.
    """
    ruleset = table.ruleset.hash
    try:
        event = Event(0, source, now, body, decode(body))
    except Undecodable as fault:
        event = Event(0, source, now, body, {})
        accepted = await ledger.accept(Draft(event, ruleset, rejected=str(fault)))
        metrics.received(source, None, "rejected")
        _log.warning("event_rejected", event_id=accepted.event, source=source, reason=str(fault))
        return Receipt(accepted.event, 0, str(fault))
    routing = table.route(event)
    accepted = await ledger.accept(_draft(event, ruleset, routing))
    metrics.received(source, event.trigger, "accepted" if routing.matched else "unmatched")
    for rule in routing.matched:
        metrics.spoke(rule)
    for rule, text in routing.errors:
        metrics.rule_errors.labels(rule).inc()
        _log.error("rule_failed", event_id=accepted.event, rule=rule, reason=text)
    _log.info(
        "event_accepted",
        event_id=accepted.event,
        source=source,
        trigger=event.trigger[:100],
        case=event.case_ref,
        rules=len(routing.matched),
        deliveries=accepted.deliveries,
    )
    return Receipt(accepted.event, accepted.deliveries)


def _draft(event: Event, ruleset: str, routing: Routing) -> Draft:
    return Draft(
        event,
        ruleset,
        len(routing.matched),
        routing.planned,
        cancels=routing.cancels,
        spoke=routing.matched,
    )
