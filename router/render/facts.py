"""What is known of an event, in words: what the built-in templates say, and any may use."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from router.event import KNOWN_FIELDS
from router.message import Severity
from router.render.escape import clean, safe_url
from router.render.sandbox import humanize

if TYPE_CHECKING:
    from router.event import Event
    from router.rules import Channel, Rule

HIDDEN = "\u2022\u2022\u2022"

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
VARIABLES = KNOWN_FIELDS | {
    *("event", "source", "rule", "channel", "received_at", "links", "severity", "colour"),
    *("heading", "facts", "change", "because"),
}
"""Every name that a template may use, beside the fields of an event that atfinity may add."""
_ABSENT = dict.fromkeys(KNOWN_FIELDS)


def variables(event: Event, rule: Rule, channel: Channel, base_url: str) -> dict[str, Any]:
    """Everything a template can name, for one event, rule and channel."""
    fields = event.fields
    if channel.hide:
        fields = {k: HIDDEN if k in channel.hide else v for k, v in fields.items()}
    link = safe_url(fields.get("case_url"))
    severity = rule.severity or severity_of(event)
    own = f"{base_url}/events/{event.id}" if event.id else base_url
    return {
        **_ABSENT,
        **fields,
        "case_url": link,
        "event": {**fields, "case_url": link},
        "source": event.source,
        "rule": {"name": rule.name, "severity": severity},
        "channel": {"name": channel.name},
        "received_at": datetime.fromtimestamp(event.received_at, UTC),
        "links": {"case": link, "event": own},
        "severity": severity,
        "colour": colour_of(fields, severity),
        "heading": heading_of(event.trigger),
        "facts": facts_of(fields),
        "change": change_of(fields),
        "because": because_of(rule),
    }


def because_of(rule: Rule) -> str:
    return f"You get this because of the rule \u201c{clean(rule.name)}\u201d."


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
