"""Deciding about conditions without an event: what is said to be sure is so for any event."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.condition import AllOf, Condition, Field, Glob
from router.event import TRIGGERS
from router.match import compile_glob, evaluate, witnesses
from router.rulebook.conditions import WhenReader
from router.rulebook.globs import disjoint, implies
from router.rulebook.tree import parse
from router.rulebook.worlds import covers, impossible
from strategies import conditions, events


def condition(text: str) -> Condition:
    tree = parse(text, "rules.yaml")
    found = WhenReader(tree, {}).read(tree.data, (), "r")
    assert found is not None, tree.problems
    return found


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("{ trigger: case_* }", "{ trigger: case_created }"),
        ("{ trigger: [case_created, case_approved] }", "{ trigger: case_created, process_key: x }"),
        ('{ process_key: "onboarding_*" }', '{ process_key: "onboarding_kyc_*" }'),
        ('{ process_key: "onboarding_*" }', "{ process_key: [onboarding_a, onboarding_b] }"),
        ("{ any: [{ process_key: a }, { trigger: case_created }] }", "{ trigger: case_created }"),
        ("{ any: [{ process_key: a }, { trigger: b }] }", "{ process_key: a, case_name: x }"),
        ("{ not: { process_key: a } }", "{ process_key: b }"),
        ("{ process_key: { not: a } }", '{ process_key: "b*" }'),
        ("{ process_key: { not: a } }", "{ process_key: null }"),
        ("{ case_version: { gt: 5 } }", "{ case_version: { gt: 7, lt: 9 } }"),
        ("{ case_name: { contains: ag } }", "{ case_name: { contains: AGM } }"),
        ("{ case_name: { contains: ag } }", '{ case_name: "an AG in *" }'),
        ("{ case_name: { regex: x } }", "{ case_name: { regex: x }, trigger: case_created }"),
        ("{ current_state_key: null }", "{ trigger: case_created }"),
        ("{ any: [{ process_key: a }, { process_key: { not: a } }] }", "always"),
        ('{ if: "case_version > 5" }', '{ if: "case_version > 5", trigger: x }'),
        ('{ trigger: "*" }', "always"),
    ],
)
def test_an_earlier_condition_covers_a_later_one(earlier: str, later: str) -> None:
    assert covers(condition(earlier), condition(later))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ('{ process_key: "onboarding_*" }', '{ process_key: "*_kyc" }'),
        ('{ process_key: "onboarding_*" }', "{ process_key: [onboarding_a, x] }"),
        ("{ process_key: { not: a } }", '{ process_key: "a*" }'),
        ("{ case_version: { gt: 5 } }", "{ case_version: { gte: 5 } }"),
        ("{ document_keys: a }", "{ document_keys: { every: a } }"),
        ('{ process_key: "ax*" }', '{ process_key: "[ab]x" }'),
        ('{ process_key: "*" }', "always"),
        ("{ case_name: { regex: x } }", "{ case_name: { regex: xy } }"),
        ("{ trigger: case_created }", "always"),
    ],
)
def test_it_does_not_cover_what_it_may_leave(earlier: str, later: str) -> None:
    assert not covers(condition(earlier), condition(later))


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("{ all: [{ process_key: a }, { process_key: b }] }", True),
        ('{ process_key: "a*", not: { process_key: "*" } }', True),
        ('{ all: [{ process_key: "a*" }, { process_key: "b*" }] }', True),
        ('{ all: [{ process_key: "a*" }, { process_key: "*b" }] }', False),
        ("{ case_version: { gt: 5, lt: 3 } }", True),
        ("{ case_version: { gt: 5, lt: 6.5 } }", False),
        ("{ trigger: case_created, current_state_key: x }", True),
        ("{ trigger: case_of_tomorrow, current_state_key: x }", False),
        ("{ all: [{ document_keys: a }, { document_keys: b }] }", False),
        ("{ all: [{ a_new_field: a }, { a_new_field: b }] }", False),
    ],
)
def test_what_no_event_can_meet(text: str, never: bool) -> None:
    assert impossible(condition(text)) is never


@st.composite
def posted(draw: st.DrawFn) -> dict[str, Any]:
    """An event as the service takes it: with a trigger, and what known ones do not carry unsaid."""
    trigger = draw(st.sampled_from([*TRIGGERS, "kyc", "k*", "other"]))
    fields = draw(events)
    if not isinstance(fields.get("process_key"), str | int | None):
        fields.pop("process_key")
    if not isinstance(fields.get("case_version"), str | int | float | None):
        fields.pop("case_version")
    return {**fields, "trigger": trigger}


EXPRESSIONS = {"yes": lambda _: True, "no": lambda _: False, "fails": lambda _: False}


def holds(one: Condition, fields: dict[str, Any]) -> bool:
    return evaluate(one, fields, EXPRESSIONS).answer == "match"


@settings(max_examples=300, deadline=None)
@given(conditions, conditions, posted())
def test_what_is_covered_or_impossible_is_so_for_any_event(
    one: Condition, two: Condition, fields: dict[str, Any]
) -> None:
    if holds(one, fields):
        assert not impossible(one)
    if holds(two, fields) and not holds(one, fields):
        assert not covers(one, two)
    both = AllOf((one, two))
    assert covers(one, both)


GLOBS = st.text(alphabet="ab*?[]!\\", max_size=6)


@settings(max_examples=300, deadline=None)
@given(GLOBS, GLOBS, st.text(alphabet="abc", max_size=6))
def test_what_is_said_of_two_globs_is_so_for_any_text(one: str, two: str, text: str) -> None:
    if compile_glob(one).matches(text):
        if not compile_glob(two).matches(text):
            assert not implies(Glob(one), Glob(two))
        else:
            assert not disjoint(Glob(one), Glob(two))
    assert witnesses(one)


def test_a_rule_of_too_many_patterns_is_taken_as_it_is() -> None:
    many = AllOf(tuple(Field("process_key", Glob(f"*{n}*")) for n in range(12)))
    assert not impossible(many)
    assert not covers(many, Field("process_key", Glob("*1*")))
