"""Coverage: what came, and who spoke about it."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from router.condition import AllOf, Equals, Field, Glob, If, OneOf
from router.coverage import Coverage, Kind, known_block
from router.event import Event
from router.route import RoutingTable
from router.rules import Rule, Ruleset, Target

TOLD = (Target("c"),)


def learned(rules: list[Rule], *events: dict[str, Any]) -> Coverage:
    made = Ruleset(hash="h", sources={}, channels={}, rules=tuple(rules), templates={}, files={})
    coverage = Coverage(RoutingTable(made))
    for number, fields in enumerate(events):
        coverage.add(Event(number, "s", float(number), b"", fields))
    return coverage


def rule(name: str, **fields: str) -> Rule:
    lines = tuple(Field(path, Equals(value)) for path, value in fields.items())
    return Rule(name=name, when=AllOf(lines), targets=TOLD)


def test_a_kind_that_only_the_rest_tells_is_silent() -> None:
    rest = Rule(name="rest", when=None, targets=TOLD)
    made = {"trigger": "case_created", "process_key": "kyc"}
    done = {"trigger": "case_approved"}
    coverage = learned([rule("created", trigger="case_created"), rest], made, done, done)
    (first, silent), (second, told) = coverage.kinds()
    assert first == Kind("s", "case_approved", None, None, None)
    assert (silent.silent, silent.number, dict(silent.rest)) == (2, 2, {"rest": 2})
    assert second == Kind("s", "case_created", "kyc", None, None)
    assert (told.silent, dict(told.rules), told.last) == (0, {"created": 1}, 0.0)


def test_what_is_partly_told_comes_after_what_nobody_tells() -> None:
    some = {"trigger": "t", "case_id": "1"}
    other = {"trigger": "t", "case_id": "2"}
    nobody = {"trigger": "u"}
    coverage = learned([rule("one", trigger="t", case_id="1")], some, other, other, nobody)
    assert [(kind.trigger, seen.silent, seen.number) for kind, seen in coverage.kinds()] == [
        ("u", 1, 1),
        ("t", 2, 3),
    ]


def test_rules_that_never_spoke_or_failed_are_named() -> None:
    broken = Rule(name="broken", when=If("case_version > 5"), targets=TOLD)
    parked = Rule(name="parked", when=None, targets=TOLD, enabled=False)
    coverage = learned([rule("never", trigger="u"), broken, parked], {"trigger": "t"})
    assert coverage.never() == ["never", "broken"]
    assert coverage.failed == {"broken": 1}


def test_words_that_rules_name_and_that_never_came_are_told() -> None:
    either = OneOf((Equals("kyc"), Equals("credit"), Glob("x_*")))
    rules = [Rule(name="r", when=Field("process_key", either), targets=TOLD)]
    coverage = learned(rules, {"trigger": "t", "process_key": "kyc"})
    assert coverage.unseen() == [("r", "process_key", "credit")]


def test_the_states_share_their_words_and_what_people_wrote_is_not_learned() -> None:
    fields = {
        "trigger": "t",
        "previous_state_key": "draft",
        "current_state_key": "done",
        "document_keys": ["form_a", None, {"x": 1}, 3],
        "case_name": "Acme",
        "remark": "Acme is late",
        "team_key": True,
        "desk_key": "north",
    }
    assert learned([], fields).vocabulary() == {
        "previous_state_key": ["done", "draft"],
        "current_state_key": ["done", "draft"],
        "document_keys": [3, "form_a"],
        "desk_key": ["north"],
    }


def test_a_field_with_too_many_words_has_no_vocabulary() -> None:
    many = [{"trigger": "t", "document_keys": [f"d{n}"]} for n in range(400)]
    assert learned([], *many).vocabulary() == {}


WORDS = st.lists(st.one_of(st.text(min_size=1, max_size=20), st.integers()), min_size=1)


@given(st.dictionaries(st.text(min_size=1, max_size=12), WORDS, max_size=4))
@settings(max_examples=80, deadline=None)
def test_any_vocabulary_is_read_back_as_it_was(words: dict[str, list[str | int | float]]) -> None:
    found = yaml.safe_load(known_block(words))["known"]
    assert found == words


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
@settings(max_examples=60, deadline=None)
def test_any_value_is_learned_from(value: Any) -> None:
    fields = {"trigger": "t", "process_key": value, "current_state_key": value, "x_keys": value}
    coverage = learned([], fields, fields)
    ((_, seen),) = coverage.kinds()
    assert seen.number == 2
    assert coverage.vocabulary() is not None
