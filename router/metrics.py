"""What is counted, for Prometheus; names after Alertmanager's where it has them.

Labels are bounded: triggers that are not known count as `other`, names come from rules.yaml.
"""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from router import __version__
from router.event import TRIGGERS

disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)


class Metrics:
    """The counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._children: dict[tuple[object, ...], Counter] = {}
        self.events = Counter(
            "router_events_received_total",
            "Events posted, by what became of them",
            ("source", "trigger", "outcome"),
            registry=registry,
        )
        self.refused = Counter(
            "router_requests_refused_total",
            "Posts that were not let in, by reason",
            ("reason",),
            registry=registry,
        )
        self.connections_refused = Counter(
            "router_connections_refused_total",
            "Connections and requests that the server ended before the router saw them, by reason",
            ("reason",),
            registry=registry,
        )
        self.rule_matches = Counter(
            "router_rule_matches_total", "Times a rule spoke", ("rule",), registry=registry
        )
        self.rule_errors = Counter(
            "router_rule_errors_total", "Times a rule failed", ("rule",), registry=registry
        )
        self.notifications = Counter(
            "router_notifications_total",
            "Deliveries that ended, by channel and state",
            ("channel", "state"),
            registry=registry,
        )
        self.notifications_failed = Counter(
            "router_notifications_failed_total",
            "Deliveries that failed for good",
            ("channel",),
            registry=registry,
        )
        self.requests = Counter(
            "router_notification_requests_total",
            "Attempts, by what they met",
            ("channel", "outcome"),
            registry=registry,
        )
        self.latency = Histogram(
            "router_notification_latency_seconds",
            "Time the far end took to answer",
            ("channel",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.event_to_delivery = Histogram(
            "router_event_to_delivery_seconds",
            "Time from receiving an event to the far end having its message",
            buckets=_SECONDS,
            registry=registry,
        )
        self.template_faults = Counter(
            "router_template_errors_total",
            "Messages that a template could not make, by the rung that spoke instead",
            ("rule", "rung"),
            registry=registry,
        )
        self.pending = Gauge(
            "router_deliveries_pending", "Deliveries that wait", ("channel",), registry=registry
        )
        self.failing = Gauge(
            "router_channel_failures",
            "Attempts in a row that failed and may pass",
            ("channel",),
            registry=registry,
        )
        self.oldest_due = Gauge(
            "router_oldest_due_seconds",
            "For how long the oldest delivery might have gone, whichever process sends: it is due,"
            " its channel neither rests nor is paused, and its rate lets it",
            registry=registry,
        )
        self.thread_restarts = Counter(
            "router_thread_restarts_total",
            "Threads that ended and were started again",
            ("thread",),
            registry=registry,
        )
        self.log_lines_dropped = Counter(
            "router_log_lines_dropped_total",
            "Lines of the log that nobody read in time, or that could not be written",
            registry=registry,
        )
        self.reload_successful = Gauge(
            "router_config_last_reload_successful",
            "1 if the rules on disk are the rules in force",
            registry=registry,
        )
        self.reload_at = Gauge(
            "router_config_last_reload_success_timestamp_seconds",
            "When rules were last put in force",
            registry=registry,
        )
        Gauge("router_build_info", "The version", ("version",), registry=registry).labels(
            __version__
        ).set(1)

    def received(self, source: str, trigger: str | None, outcome: str) -> None:
        """Count a posted event; `outcome` is accepted, unmatched or rejected."""
        label = "none" if trigger is None else trigger if trigger in TRIGGERS else "other"
        self._counter(self.events, source, label, outcome).inc()

    def spoke(self, rule: str) -> None:
        """Count a rule that spoke."""
        self._counter(self.rule_matches, rule).inc()

    def _counter(self, counter: Counter, *labels: str) -> Counter:
        # prometheus_client finds a child under a lock, by joining its labels anew each time.
        key = (counter, *labels)
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = counter.labels(*labels)
        return found

    def waits(self, by_channel: dict[str, int]) -> None:
        """Set how many deliveries wait for each channel."""
        self.pending.clear()
        for channel, number in by_channel.items():
            self.pending.labels(channel).set(number)

    def fails(self, by_channel: dict[str, int]) -> None:
        """Set how many attempts in a row failed for each channel."""
        self.failing.clear()
        for channel, number in by_channel.items():
            self.failing.labels(channel).set(number)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
