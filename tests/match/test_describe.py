"""Conditions in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from router.condition import (
    AllOf,
    Always,
    AnyOf,
    Condition,
    Equals,
    Field,
    Glob,
    If,
    Not,
    NotTest,
    OneOf,
)
from router.match import describe_condition
from strategies import conditions

TRIGGER = Field("trigger", Equals("case_changed"))
EITHER = AnyOf((TRIGGER, Field("action", Glob("gen*"))))


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Always(), "anything happens"),
        (TRIGGER, "trigger is `case_changed`"),
        (Field("a", NotTest(Equals("b"))), "a is not `b`"),
        (Field("a", OneOf((Equals("b"), Equals("c")))), "a is one of b, c"),
        (EITHER, "trigger is `case_changed` or action is like gen*"),
        (AllOf((TRIGGER, EITHER)), "trigger is `case_changed` and (trigger is `case_changed` or"),
        (Not(TRIGGER), "not (trigger is `case_changed`)"),
        (If("case_version > 5"), "`case_version > 5`"),
    ],
)
def test_a_condition_is_said_as_a_clause(condition: Condition, words: str) -> None:
    assert describe_condition(condition).startswith(words)


@settings(max_examples=60, deadline=None)
@given(conditions)
def test_any_condition_can_be_said(condition: Condition) -> None:
    assert describe_condition(condition)
