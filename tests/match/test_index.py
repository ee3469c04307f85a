"""The index agrees with the evaluator, on any conditions and any event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.condition import AllOf, Always, Equals, Field, Glob, If, NotTest, OneOf
from router.match import ExpressionError, Index, evaluate
from strategies import conditions, events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.condition import Condition


def _fails(_fields: Mapping[str, Any]) -> bool:
    raise ExpressionError("it failed")


EXPRESSIONS = {"yes": lambda _: True, "no": lambda _: False, "fails": _fails}


@settings(max_examples=600, deadline=None)
@given(st.lists(st.one_of(conditions, st.none()), max_size=8), st.lists(events, max_size=4))
def test_the_index_gives_the_answers_of_the_evaluator(
    rules: list[Condition | None], posted: list[dict[str, Any]]
) -> None:
    index = Index(rules, EXPRESSIONS)
    for fields in [*posted, *posted]:  # a second time from what it remembers
        found = index.match(fields)
        answers = [evaluate(when, fields, EXPRESSIONS).answer if when else None for when in rules]
        assert found.rules == [n for n, answer in enumerate(answers) if answer == "match"]
        assert sorted(found.errors) == [n for n, a in enumerate(answers) if a == "error"]


@settings(max_examples=300, deadline=None)
@given(conditions, events)
def test_only_what_does_not_match_has_misses(when: Condition, posted: dict[str, Any]) -> None:
    found = evaluate(when, posted, EXPRESSIONS)
    assert found.answer == "error" or (found.misses > 0) == (found.answer == "no match")


def test_a_dense_answer_lists_every_rule_in_order() -> None:
    rules = [Field("trigger", Equals("a" if n % 3 else "b")) for n in range(3000)]
    index = Index(rules, {})
    assert index.match({"trigger": "a"}).rules == [n for n in range(3000) if n % 3]


def test_a_sparse_answer_among_many_rules_is_found() -> None:
    rules = [Field("process_key", Equals(f"p{n}")) for n in range(5000)]
    assert Index(rules, {}).match({"process_key": "p4321"}).rules == [4321]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(True, [0], id="true is true and not one"),
        pytest.param(1, [1], id="one is one and not true"),
        pytest.param(1.0, [1], id="one point zero is one"),
        pytest.param("1", [2], id="a text of a digit is no number"),
        pytest.param(None, [], id="null is none of them"),
        pytest.param([1, "1"], [1, 2], id="an array meets what its elements meet"),
    ],
)
def test_equality_is_typed(value: object, expected: list[int]) -> None:
    rules = [Field("f", Equals(v)) for v in (True, 1, "1")]
    assert Index(rules, {}).match({"f": value}).rules == expected


def test_more_values_than_are_remembered_change_no_answer() -> None:
    index = Index([Field("f", Glob("*7")), Field("f", NotTest(OneOf((Equals("x3"),))))], {})
    for n in range(10_000):
        assert index.match({"f": f"x{n}"}).rules == ([0] if n % 10 == 7 else []) + [1] * (n != 3)


def test_an_expression_is_not_asked_where_a_plain_line_says_no() -> None:
    index = Index([AllOf((If("fails"), Field("f", Equals(1))))], EXPRESSIONS)
    assert index.match({"f": 2}).errors == {}
    assert index.match({"f": 1}).errors == {0: "it failed"}


def test_always_holds_for_an_event_with_no_fields() -> None:
    assert Index([Always(), None], {}).match({}).rules == [0]
