"""Events to try rules with: what a trigger carries, with every field, with some, with none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.event import COMMON_FIELDS, NULLABLE_FIELDS, TRIGGERS, Event

if TYPE_CHECKING:
    from collections.abc import Iterator

_VALUES: dict[str, Any] = {
    "case_id": 42,
    "case_user_readable_id": "KYC-0042",
    "case_name": "Acme Corp",
    "case_url": "https://tenant.example/cases/42",
    "case_version": 7,
    "case_color": "green",
    "outcome_instance_id": 17,
    "process_key": "kyc_process",
    "previous_state_key": "in_review",
    "current_state_key": "approved",
    "transition_key": "approve",
    "document_keys": ["kyc_profile", "form_a"],
    "action": "generated",
}


def sample(trigger: str, *, null: bool) -> Event:
    """An event of a trigger with every field it carries; with `null`, as few as it may have."""
    return _event(trigger, NULLABLE_FIELDS if null else frozenset(), {})


def samples(
    trigger: str, mentioned: frozenset[str], new: dict[str, Any]
) -> Iterator[tuple[Event, str]]:
    """Events of a trigger, and what is null in each: nothing, all that may be, each by itself.

    Only fields that are `mentioned` are tried by themselves. `new` are fields with their values
    that atfinity is not known to send, and that each of the events has.
    """
    yield _event(trigger, frozenset(), new), "with no field null"
    yield _event(trigger, NULLABLE_FIELDS, new), "with every field that may be null being null"
    carried = NULLABLE_FIELDS.intersection((*COMMON_FIELDS, *TRIGGERS.get(trigger, ())))
    for name in sorted(carried & mentioned):
        yield _event(trigger, frozenset({name}), new), f"with `{name}` being null"


def _event(trigger: str, null: frozenset[str], new: dict[str, Any]) -> Event:
    names = (*COMMON_FIELDS, *TRIGGERS.get(trigger, ()))
    fields = {name: None if name in null else _VALUES.get(name) for name in names}
    return Event(1, "source", 1_770_000_000.0, b"{}", {**new, **fields, "trigger": trigger})
