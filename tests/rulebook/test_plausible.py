"""What a test does not say of its events is filled in so that they could have come."""

from __future__ import annotations

from typing import Any

import pytest

from router.event import COMMON_FIELDS, TRIGGERS
from router.rulebook.plausible import Plausible

STATE = "case_state_changed"


def completed(*given: dict[str, Any]) -> list[dict[str, Any]]:
    plausible = Plausible()
    return [plausible.complete(one) for one in given]


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_an_event_has_all_that_its_trigger_carries_and_nothing_else(trigger: str) -> None:
    (event,) = completed({"trigger": trigger})
    assert set(event) == {*COMMON_FIELDS, *TRIGGERS[trigger]}
    assert (event["case_id"], event["case_user_readable_id"]) == (42, "KYC-0042")
    assert all(event[name] is not None for name in TRIGGERS[trigger])


def test_what_is_named_stays_null_and_unknown_fields_too() -> None:
    given = {"trigger": "new", "process_key": None, "case_name": "", "team": {"a": [1]}}
    (event,) = completed(given)
    assert {**event, **given} == event


def test_an_event_without_a_case_is_about_the_case_before() -> None:
    found = completed(
        {"trigger": "case_created", "case_user_readable_id": "CR-7", "case_name": "Beta"},
        {"trigger": "case_comment"},
        {"trigger": "case_comment", "case_id": 9},
        {"trigger": "case_finished"},
        {"trigger": "case_finished", "case_user_readable_id": "CR-7"},
    )
    ids = [(event["case_id"], event["case_user_readable_id"]) for event in found]
    assert ids == [(7, "CR-7"), (7, "CR-7"), (9, "KYC-0009"), (9, "KYC-0009"), (7, "CR-7")]
    assert [event["case_name"] for event in found][1] == found[4]["case_name"] == "Beta"
    assert found[2]["case_name"] != "Beta"


def test_two_readable_ids_are_two_cases() -> None:
    ids = ("KYC-1", "CR-1", "no number")
    found = completed(*({"trigger": "x", "case_user_readable_id": one} for one in ids))
    assert len({event["case_id"] for event in found}) == 3
    assert len({event["case_url"] for event in found}) == 3


def test_what_is_said_of_a_case_holds_for_its_later_events() -> None:
    first, second, third = completed(
        {"trigger": STATE, "process_key": None, "case_color": "red"},
        {"trigger": "case_comment"},
        {"trigger": "case_comment", "process_key": "p"},
    )
    assert (second["process_key"], second["case_color"]) == (None, "red")
    assert (first["process_key"], third["process_key"]) == (None, "p")


def test_a_case_leaves_the_state_it_is_in() -> None:
    found = completed(
        {"trigger": STATE, "current_state_key": "in_review"},
        {"trigger": "case_comment"},
        {"trigger": STATE, "current_state_key": "done"},
        {"trigger": STATE, "current_state_key": "in_review", "case_id": 1},
    )
    before = [event.get("previous_state_key") for event in found]
    assert before == ["open", None, "in_review", "open"]


def test_what_is_written_twice_is_the_same_event_again() -> None:
    again = {"trigger": STATE, "current_state_key": "in_review"}
    first, _, third = completed(again, {"trigger": STATE, "current_state_key": "done"}, {**again})
    assert first == third
