"""What an attempt leaves for operators: its counters, and one line in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.log import get_logger

if TYPE_CHECKING:
    from router.ledger import Tried
    from router.metrics import Metrics

_log = get_logger()


def observe(tried: Tried, metrics: Metrics, now: float) -> None:
    """Count an attempt and tell it."""
    held, outcome = tried.delivery, tried.outcome
    metrics.requests.labels(held.channel, outcome.kind).inc()
    metrics.latency.labels(held.channel).observe(outcome.elapsed)
    if tried.state != "pending":
        metrics.notifications.labels(held.channel, tried.state).inc()
    if tried.state == "failed":
        metrics.notifications_failed.labels(held.channel).inc()
    if tried.state == "sent":
        metrics.event_to_delivery.observe(max(0.0, now - held.event.received_at))
    log = _log.info if tried.state == "sent" else _log.warning
    log(
        "delivery_attempted",
        delivery_id=held.id,
        event_id=held.event.id,
        channel=held.channel,
        rule=held.rule,
        attempt=held.attempt,
        outcome=outcome.kind,
        state=tried.state,
        status=outcome.status,
        seconds=round(outcome.elapsed, 4),
        detail=outcome.detail,
    )
