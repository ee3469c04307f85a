"""How an event and what became of it is told outside: the shapes of the API and of `--json`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from router.duration import show_duration
from router.event import OWN, Event, Undecodable, decode, is_object

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.ledger import AttemptRow, AuditRow, DeliveryRow, EventRow, Token
    from router.message import Message
    from router.route import Decision, Routing, RoutingTable
    from router.timing import Planned

DECISIONS = 5_000
"""Decisions that a list tells at most: a third of a second's work, and a few MB."""


def iso(at: float) -> str:
    """Epoch seconds as an ISO 8601 time in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stored_event(row: EventRow) -> Event | None:
    """The event of a row; None for a rejected body."""
    if row.rejected is not None:
        return None
    try:
        return Event(row.id, row.source, row.received_at, row.body, decode(row.body))
    except Undecodable:
        return None


def explain(row: EventRow, table: RoutingTable, *, spoken: bool = False) -> tuple[Decision, ...]:
    """Every rule's decision for a stored event; with `spoken` of those that matched or failed.

    No rule was asked about a rejected body, or about what the router tells about itself.
    """
    event = stored_event(row)
    if event is None or event.source == OWN:
        return ()
    return table.explain_spoken(event) if spoken else table.explain(event)


def explain_list(
    rows: Sequence[EventRow], table_of: Callable[[str], RoutingTable | None]
) -> list[tuple[Decision, ...]]:
    """The decisions for each event of a list, each under its own rules (none: no decisions).

    All of them, as `explain` has them, where they are few; where they would be more than
    DECISIONS, only those of the rules that matched or failed.
    """
    tables = {hash_: table_of(hash_) for hash_ in {row.ruleset or "" for row in rows}}
    by = [tables[row.ruleset or ""] for row in rows]
    many = sum(len(table.ruleset.rules) for table in by if table is not None) > DECISIONS
    return [
        () if table is None else explain(row, table, spoken=many)
        for row, table in zip(rows, by, strict=True)
    ]


def event_view(row: EventRow, decisions: Sequence[Decision]) -> dict[str, Any]:
    """An event as the API tells it."""
    event = stored_event(row)
    return {
        "id": row.id,
        "received_at": iso(row.received_at),
        "source": row.source,
        "trigger": row.trigger,
        "case_id": None if event is None else event.fields.get("case_id"),
        "case": row.case_ref,
        "body": _body(row, event),
        "ruleset": row.ruleset,
        "matched": row.matched,
        "rejected": row.rejected,
        "decisions": [decision_view(decision) for decision in decisions],
        "deliveries": [delivery_view(delivery) for delivery in row.deliveries],
    }


def decision_view(decision: Decision) -> dict[str, Any]:
    """One rule's decision, with each condition that was looked at."""
    return {
        "rule": decision.rule,
        "matched": decision.matched,
        "outcome": decision.outcome,
        "reason": decision.reason,
        "misses": decision.misses,
        "conditions": [
            {
                "field": check.field,
                "expected": check.expected,
                "actual": check.actual,
                "holds": check.holds,
                "reason": check.reason,
            }
            for check in decision.checks
        ],
    }


def delivery_view(row: DeliveryRow) -> dict[str, Any]:
    """A delivery with its message and attempts; in capture mode also what would have been sent."""
    view: dict[str, Any] = {
        "id": row.id,
        "event": row.event_id,
        "rule": row.rule,
        "channel": row.channel,
        "state": row.state,
        "reason": row.reason,
        "created_at": iso(row.created_at),
        "due_at": iso(row.due_at) if row.state == "pending" else None,
        "ended_at": None if row.ended_at is None else iso(row.ended_at),
        "possible_repeat": row.unsure > 0,
        "resend_of": row.resend_of,
        "fallback_of": row.fallback_of,
        "carried_by": row.carried_by,
        "step": step_in_words(row.step),
        "message": None if row.message is None else message_view(row.message),
        "attempts": [attempt_view(attempt) for attempt in row.attempts],
    }
    captured = [attempt.captured for attempt in row.attempts if attempt.captured is not None]
    if captured:
        view["captured"] = captured[-1]
    return view


def planned_event_view(event: Event, ruleset: str, routing: Routing) -> dict[str, Any]:
    """An event that is not stored, as the API would tell it: what it would cause, and when."""
    deliveries = [_planned_view(planned, event.received_at) for planned in routing.planned]
    return {
        "id": None,
        "received_at": iso(event.received_at),
        "source": event.source,
        "trigger": event.trigger,
        "case_id": event.fields.get("case_id"),
        "case": event.case_ref,
        "body": msgspec.Raw(event.body.removeprefix(b"\xef\xbb\xbf")),
        "ruleset": ruleset,
        "matched": len(routing.matched),
        "rejected": None,
        "deliveries": deliveries,
    }


def _planned_view(planned: Planned, now: float) -> dict[str, Any]:
    terms = planned.terms
    due = now if planned.moment is None else planned.moment
    if terms is not None and terms.digest is not None:
        due = terms.digest.closes
    elif terms is not None and terms.hold_until is not None:
        due = terms.hold_until
    dropped = terms is not None and terms.drop
    return {
        "id": None,
        "rule": planned.rule,
        "channel": planned.channel,
        "state": "suppressed" if dropped else "pending",
        "due_at": None if dropped else iso(due),
        "reason": planned_in_words(planned, now) or None,
        "step": step_in_words(planned.step),
        "message": None,
        "attempts": [],
    }


def message_view(message: Message) -> dict[str, Any]:
    """The words, and which rung of the ladder spoke them."""
    view = {
        "title": message.title,
        "body": message.body,
        "format": message.format,
        "text": message.text,
        "severity": message.severity,
        "rung": message.rung,
    }
    return view if message.fault is None else {**view, "fault": message.fault}


def attempt_view(row: AttemptRow) -> dict[str, Any]:
    """One attempt: when, how long (seconds), and what it met."""
    return {
        "number": row.number,
        "at": iso(row.at),
        "elapsed": row.elapsed,
        "outcome": row.outcome,
        "status": row.status,
        "detail": row.detail,
    }


def deed_view(row: AuditRow) -> dict[str, Any]:
    """One line of the audit log."""
    return {
        "id": row.id,
        "at": iso(row.at),
        "who": row.who,
        "role": row.role,
        "way": row.way,
        "address": row.address,
        "what": row.what,
        "about": row.about,
        "detail": row.detail,
    }


def token_view(token: Token) -> dict[str, Any]:
    """A token of the API, without what is secret."""
    return {
        "name": token.name,
        "role": token.role,
        "author": token.author,
        "created_at": iso(token.created_at),
        "until": None if token.until is None else iso(token.until),
        "used_at": None if token.used_at is None else iso(token.used_at),
        "revoked_at": None if token.revoked_at is None else iso(token.revoked_at),
    }


def step_in_words(step: int) -> str | None:
    """`reminder 2`, `escalation 1`; None for the message itself."""
    if step == 0:
        return None
    return f"reminder {step}" if step > 0 else f"escalation {-step}"


def planned_in_words(planned: Planned, now: float) -> str:
    """When a delivery is to be said, and what may keep it from being said; nothing if at once."""
    told = []
    if planned.moment is not None:
        told.append(f"waits until {minute(planned.moment)} ({show_duration(planned.moment - now)})")
    terms = planned.terms
    if terms is not None and terms.drop:
        told.append(str(terms.why))
    elif terms is not None and terms.digest is not None:
        told.append(f"collected for a digest until {minute(terms.digest.closes)}")
    elif terms is not None and terms.hold_until is not None:
        told.append(f"waits until {minute(terms.hold_until)} ({terms.why})")
    if terms is not None and terms.throttle is not None:
        told.append(f"unless it was said within {show_duration(terms.throttle.seconds)}")
    if terms is not None and terms.dedupe is not None:
        told.append(f"unless it came within {show_duration(terms.dedupe.seconds)}")
    step = step_in_words(planned.step)
    return ", ".join([step, *told] if step else told)


def minute(at: float) -> str:
    """Epoch seconds to the minute, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def state_in_words(row: DeliveryRow, now: float) -> str:
    """The state in words: `sent`, `being sent`, `waits` ..."""
    if row.state != "pending":
        return row.state
    if row.in_hand and row.due_at > now:
        return "being sent"
    return "to be sent" if row.due_at <= now else "waits"


def _body(row: EventRow, event: Event | None) -> Any:
    """As it was posted: JSON if it is an object, else the text."""
    if event is None and not is_object(row.body):
        return row.body.decode("utf-8", "replace")
    return msgspec.Raw(row.body.removeprefix(b"\xef\xbb\xbf"))
