"""Filling in what a test does not say about its events, so that it names only what matters."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from router.event import COMMON_FIELDS, TRIGGERS

ID, READABLE = "case_id", "case_user_readable_id"
_OF_A_CASE = (READABLE, "case_name", "case_url", "case_color", "process_key")
"""What holds for the later events of a case once an event has named it."""
_USUAL: dict[str, Any] = {
    "case_version": 1,
    "case_color": None,
    "outcome_instance_id": None,
    "process_key": "kyc_process",
    "previous_state_key": "open",
    "current_state_key": "in_progress",
    "transition_key": "proceed",
    "document_keys": ["kyc_profile"],
    "action": "updated",
}
_FIRST = 42
_NAME = "Acme Corp"


class Plausible:
    """Completes the events of one test, in their order.

    An event that names no case is about the case of the event before it. What an event says of
    its case, and the state it leaves the case in, holds for the case's later events. An event
    that is written as an earlier one was is that event again, word for word.
    """

    def __init__(self) -> None:
        self._cases: list[dict[str, Any]] = []
        self._written: dict[bytes, dict[str, Any]] = {}

    def complete(self, given: dict[str, Any]) -> dict[str, Any]:
        """The event's fields: all that its trigger carries, and what else is given."""
        written = msgspec.json.encode(given)
        if written not in self._written:
            self._written[written] = self._complete(given)
        return self._written[written]

    def _complete(self, given: dict[str, Any]) -> dict[str, Any]:
        case = self._case(given)
        trigger = given["trigger"]
        usual = {**_USUAL, **case}
        if trigger == "case_documents_updated":
            usual["action"] = "generated"
        names = (*COMMON_FIELDS, *TRIGGERS.get(trigger, ()))
        fields = {name: given.get(name, usual.get(name)) for name in names} | given
        case |= {name: fields[name] for name in _OF_A_CASE}
        if fields.get("current_state_key") is not None:
            case["previous_state_key"] = fields["current_state_key"]
        return fields

    def _case(self, given: dict[str, Any]) -> dict[str, Any]:
        """What is known of the event's case; it becomes the last of the cases."""
        number, readable = given.get(ID), given.get(READABLE)
        name, value = (ID, number) if number is not None else (READABLE, readable)
        if value is None and self._cases:
            return self._cases[-1]
        found = next((c for c in self._cases if value is not None and c[name] == value), None)
        if found is None:
            found = self._begin(number, readable)
        else:
            self._cases.remove(found)
        self._cases.append(found)
        return found

    def _begin(self, number: Any, readable: Any) -> dict[str, Any]:
        """A case of which nothing was said before."""
        taken = [case[ID] for case in self._cases]
        if number is None:
            digits = re.search(r"\d{1,9}$", str(readable or ""))
            number = int(digits[0]) if digits else _FIRST
            while number in taken:
                number += 1
        if readable is None:
            readable = f"KYC-{number:04d}" if isinstance(number, int) else f"KYC-{number}"
        return {
            ID: number,
            READABLE: readable,
            "case_name": f"{_NAME} {len(taken) + 1}" if taken else _NAME,
            "case_url": f"https://tenant.example/cases/{number}",
        }
