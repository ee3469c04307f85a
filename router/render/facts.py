"""What is known of an event, in words: what the built-in templates say, and any may use."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from router.event import KNOWN_FIELDS, Event, masked
from router.message import SEVERITIES, Severity
from router.render.escape import Named, clean, safe_url
from router.render.filters import humanize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.rules import Channel, Rule

HEADINGS = {
    "case_created": "Case created",
    "case_approved": "Case approved",
    "case_declined": "Case declined",
    "case_finished": "Case finished",
    "case_comment": "New comment",
    "case_changed": "Case data changed",
    "case_state_changed": "Case moved on",
    "case_documents_updated": "Documents updated",
    "case_proofs_updated": "Proofs updated",
}
_SEVERITIES: dict[str, Severity] = {
    "case_approved": "success",
    "case_finished": "success",
    "case_declined": "failure",
}
_OF_SEVERITY = {
    "info": "#2f6fde",
    "success": "#1f8a4c",
    "warning": "#c77700",
    "failure": "#c62f2f",
}
_OF_CASE = {
    "green": "#1f8a4c",
    "red": "#c62f2f",
    "yellow": "#d9a400",
    "orange": "#d97706",
    "blue": "#2f6fde",
    "purple": "#7c4dcc",
    "violet": "#7c4dcc",
    "pink": "#d6498f",
    "grey": "#6b7280",
    "gray": "#6b7280",
    "black": "#222222",
}


class Occasion(msgspec.Struct, frozen=True, kw_only=True):
    """What is said beside one event's words.

    `events` are those of a digest; it is `gathered` when they came together for want of a rate,
    not by a rule. `held` counts what was throttled before. `step` n is the nth reminder, -n the
    nth escalation.
    """

    events: tuple[Event, ...] = ()
    gathered: bool = False
    held: int = 0
    step: int = 0


ONCE = Occasion()

VARIABLES = KNOWN_FIELDS | {
    *("event", "source", "rule", "channel", "received_at", "links", "severity", "colour"),
    *("heading", "facts", "change", "because", "events", "count", "digest", "held", "reminder"),
}
"""Every name that a template may use, beside the fields of an event that atfinity may add."""
_ABSENT = dict.fromkeys(KNOWN_FIELDS)


def variables(
    event: Event, rule: Rule, channel: Channel, base_url: str, occasion: Occasion
) -> dict[str, Any]:
    """Everything a template can name, for one event or digest, rule and channel."""
    fields = masked(event.fields, channel.hide)
    listed = occasion.events or (event,)
    together = [_listed(one, channel) for one in listed]
    one = together[-1]
    link = one["case_url"]
    worst: Severity = max(map(severity_of, listed), key=SEVERITIES.index)
    severity = rule.severity or worst
    own = f"{base_url}/events/{event.id}" if event.id else base_url
    many = len(listed) > 1 and len({other.case_key for other in listed}) > 1
    return {
        **_ABSENT,
        **fields,
        "case_url": link,
        "event": {**fields, "case_url": link},
        "source": event.source,
        "rule": Named(name=rule.name, severity=severity),
        "channel": Named(name=channel.name),
        "received_at": one["received_at"],
        "links": {"case": None if many else link, "event": base_url if many else own},
        "severity": severity,
        "colour": colour_of({} if many else fields, severity),
        "heading": one["heading"],
        "facts": one["facts"],
        "change": one["change"],
        "because": because_of(rule, occasion),
        "events": together,
        "count": len(together),
        "digest": digest_of(together),
        "held": occasion.held,
        "reminder": max(0, occasion.step),
    }


def because_of(rule: Rule, occasion: Occasion = ONCE) -> str:
    """Why the reader gets this."""
    name = f"the rule \u201c{clean(rule.name)}\u201d"
    if occasion.gathered:
        return "These came faster than they can be sent here one by one."
    if occasion.step > 0:
        return f"You get this because of {name}: reminder {occasion.step}, it is still so."
    if occasion.step < 0:
        return f"You get this because of {name}: it is still so."
    return f"You get this because of {name}."


def digest_of(listed: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a digest says of its events: a title, a line for each, and cases that come again."""
    headings = Counter(str(one["heading"]) for one in listed)
    told = [f"{number} \u00d7 {heading}" for heading, number in headings.most_common(4)]
    if len(headings) > 4:
        told.append("others")
    cases = Counter(str(one["case"]) for one in listed if one["case"])
    return {
        "title": ", ".join(told),
        "lines": [one["line"] for one in listed],
        "cases": len(cases),
        "again": [f"{case} ({number} times)" for case, number in cases.items() if number > 1],
    }


def _listed(event: Event, channel: Channel) -> dict[str, Any]:
    """One event of a digest: its fields, and what the built-in words say of it."""
    fields = masked(event.fields, channel.hide)
    heading = heading_of(event.trigger)
    case = clean(fields.get("case_user_readable_id") or fields.get("case_id"))[:60]
    change = change_of(fields)
    line = f"{heading}: {case} {clean(fields.get('case_name'))[:80]}".rstrip(" :")
    if change is not None:
        line += f" ({change['from']} \u2192 {change['to']})"
    return {
        **_ABSENT,
        **fields,
        "case_url": safe_url(fields.get("case_url")),
        "source": event.source,
        "received_at": datetime.fromtimestamp(event.received_at, UTC),
        "heading": heading,
        "case": case,
        "change": change,
        "facts": facts_of(fields),
        "line": line,
    }


def severity_of(event: Event) -> Severity:
    return _SEVERITIES.get(event.trigger, "info")


def colour_of(fields: dict[str, Any], severity: Severity) -> str:
    """The case's colour where it has one that is known, otherwise the severity's."""
    named = fields.get("case_color")
    if isinstance(named, str):
        text = named.strip().lower()
        if text in _OF_CASE:
            return _OF_CASE[text]
        if len(text) == 7 and text[0] == "#" and all(c in "0123456789abcdef" for c in text[1:]):
            return text
    return _OF_SEVERITY[severity]


def heading_of(trigger: str) -> str:
    return HEADINGS.get(trigger) or humanize(trigger[:80])


def change_of(fields: dict[str, Any]) -> dict[str, str] | None:
    """From where to where the case moved; None if it did not."""
    before, after = fields.get("previous_state_key"), fields.get("current_state_key")
    if before is None and after is None:
        return None
    return {"from": humanize(before) or "\u2013", "to": humanize(after) or "\u2013"}


def facts_of(fields: dict[str, Any]) -> list[tuple[str, str]]:
    """What is known of the case, label and value; what is null is left out."""
    found = [
        ("Case", clean(fields.get("case_user_readable_id") or fields.get("case_id"))),
        ("Name", clean(fields.get("case_name"))[:300]),
        ("Process", humanize(fields.get("process_key"))),
        ("Step", humanize(fields.get("transition_key"))),
        ("Action", humanize(fields.get("action"))),
        ("Documents", _documents(fields.get("document_keys"))),
        ("Version", clean(fields.get("case_version"))),
    ]
    return [(label, value) for label, value in found if value]


def _documents(keys: Any) -> str:
    if not isinstance(keys, list):
        return ""
    shown = ", ".join(humanize(key) for key in keys[:8])
    return shown + (f" and {len(keys) - 8} more" if len(keys) > 8 else "")
