"""The evaluator: what each form of a test means, and the reasons it gives."""

from __future__ import annotations

from typing import Any

import pytest

from router.condition import (
    Absent,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Contains,
    Equals,
    Every,
    Field,
    Glob,
    NoElement,
    Not,
    NotTest,
    OneOf,
    Regex,
    Together,
)
from router.match import PatternError, compile_regex, evaluate, meets

ONE, TWO = Equals("one"), Equals("two")


@pytest.mark.parametrize(
    ("test", "value", "expected"),
    [
        pytest.param(Absent(), None, True, id="null is absent"),
        pytest.param(Absent(), [], False, id="an empty array is there"),
        pytest.param(NotTest(ONE), None, True, id="null is not one"),
        pytest.param(NotTest(Absent()), "x", True, id="a value is not null"),
        pytest.param(ONE, ["zero", "one"], True, id="any element will do"),
        pytest.param(NotTest(ONE), ["zero", "one"], False, id="not one looks at the whole array"),
        pytest.param(Every(ONE), ["one", "one"], True, id="every element is one"),
        pytest.param(Every(ONE), ["one", "two"], False, id="not every element is one"),
        pytest.param(Every(ONE), [], True, id="every element of none"),
        pytest.param(Every(ONE), None, False, id="every element of null"),
        pytest.param(Every(ONE), "one", True, id="a single value is one element"),
        pytest.param(NoElement(ONE), ["two"], True, id="no element is one"),
        pytest.param(NoElement(ONE), None, True, id="null has no element"),
        pytest.param(NoElement(ONE), ["two", "one"], False, id="an element is one"),
        pytest.param(Compare("gt", 5), 6, True, id="six is more than five"),
        pytest.param(Compare("gt", 5), "6", False, id="a text is no number"),
        pytest.param(Compare("lte", 1), True, False, id="true is no number"),
        pytest.param(Compare("gt", 5), None, False, id="null is no number"),
        pytest.param(Contains("ag"), "Acme AG", True, id="contains looks past letter case"),
        pytest.param(Contains("STRASSE"), "Hauptstraße", True, id="and knows that ß is ss"),
        pytest.param(Glob("onboarding_*"), "onboarding_x", True, id="a glob's star"),
        pytest.param(Glob("onboarding_*"), "my_onboarding_x", False, id="a glob is whole"),
        pytest.param(Glob("a?c"), "abc", True, id="a glob's question mark"),
        pytest.param(Glob("[!a]x"), "bx", True, id="a glob's denied set"),
        pytest.param(Glob("\\*x*"), "*xy", True, id="a glob's backslash"),
        pytest.param(Glob("a*b"), "a\nb", True, id="a glob passes over lines"),
        pytest.param(Glob("*"), 5, False, id="a glob meets only texts"),
        pytest.param(Regex("^VIP\\b"), "VIP client", True, id="a pattern is searched"),
        pytest.param(Regex("(a+)+$"), "a" * 5000 + "b", False, id="a pattern cannot hang"),
        pytest.param(Together((Compare("gt", 1), Compare("lt", 4))), 3, True, id="both at once"),
        pytest.param(
            Together((Compare("gt", 1), Compare("lt", 4))), [0, 9], False, id="on one element"
        ),
        pytest.param(OneOf((ONE, Absent())), None, True, id="one or null"),
    ],
)
def test_a_test_holds_or_not(test: Any, value: object, expected: bool) -> None:
    assert meets(value, test) is expected


FIELDS = {
    "trigger": "case_state_changed",
    "current_state_key": "approved",
    "archived_by": {"team": "ops", "people": [{"name": "Ann"}, {"name": "Bo"}]},
    "a.b": 1,
    "a": {"b": 2},
}


@pytest.mark.parametrize(
    ("condition", "answer", "reason"),
    [
        pytest.param(
            Field("trigger", Equals("case_approved")),
            "no match",
            "trigger is `case_state_changed`, not `case_approved`",
            id="another trigger",
        ),
        pytest.param(
            AllOf(
                (
                    Field("trigger", Equals("case_state_changed")),
                    Field("current_state_key", OneOf((Equals("approved"), Equals("declined")))),
                )
            ),
            "match",
            "current_state_key is `approved`, one of approved, declined",
            id="the telling line is the reason",
        ),
        pytest.param(
            Field("archived_by.team", Equals("ops")),
            "match",
            "archived_by.team is `ops`",
            id="a nested field",
        ),
        pytest.param(
            Field("archived_by.people.name", Equals("Bo")),
            "match",
            'archived_by.people.name is `["Ann", "Bo"]`',
            id="a path through an array",
        ),
        pytest.param(Field("a.b", Equals(1)), "match", "a.b is `1`", id="a name with a dot first"),
        pytest.param(
            Not(Field("current_state_key", Equals("approved"))),
            "no match",
            "current_state_key is `approved`, which `not` excludes",
            id="what `not` excludes",
        ),
        pytest.param(
            AnyOf((Field("x", Equals(1)), Field("y", Equals(2)))),
            "no match",
            "none of `any` holds: x is `null`, not `1`; y is `null`, not `2`",
            id="none of any",
        ),
    ],
)
def test_a_verdict_says_why(condition: Condition, answer: str, reason: str) -> None:
    found = evaluate(condition, FIELDS, {})
    assert (found.answer, found.reason) == (answer, reason)


NO, OTHER = Field("trigger", Equals("x")), Field("process_key", Equals("x"))
YES = Field("current_state_key", Equals("approved"))


@pytest.mark.parametrize(
    ("condition", "misses"),
    [
        pytest.param(AllOf((YES, NO)), 1, id="one line of several"),
        pytest.param(AllOf((NO, YES, OTHER)), 2, id="two lines of several"),
        pytest.param(AnyOf((NO, OTHER)), 1, id="any of two would do"),
        pytest.param(AnyOf((AllOf((NO, OTHER)), AllOf((YES, OTHER)))), 1, id="the nearest of any"),
        pytest.param(Not(AllOf((YES, YES))), 1, id="what `not` excludes"),
        pytest.param(AllOf((YES, AnyOf((NO, YES)))), 0, id="nothing in a match"),
    ],
)
def test_misses_count_the_lines_that_would_have_to_be_otherwise(
    condition: Condition, misses: int
) -> None:
    assert evaluate(condition, FIELDS, {}).misses == misses


def test_a_pattern_that_is_none_is_refused_in_words() -> None:
    with pytest.raises(PatternError, match="missing"):
        compile_regex("(")
