"""Route: what it explains of the rules that spoke is what it explains of all of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.calendar import Calendar
from router.condition import Equals, Field, If
from router.event import Event, decode
from router.ledger import EventRow
from router.route import RoutingTable
from router.rules import Hours, Rule, Ruleset, Target
from router.view import DECISIONS, explain_list
from strategies import conditions, events

TOLD = (Target("c"),)


def table(rules: list[Rule]) -> RoutingTable:
    made = Ruleset(hash="h", sources={}, channels={}, rules=tuple(rules), templates={}, files={})
    return RoutingTable(made)


@st.composite
def many_rules(draw: st.DrawFn) -> list[Rule]:
    rules = []
    for number in range(draw(st.integers(0, 6))):
        when = draw(st.one_of(conditions, st.none()))
        rules.append(
            Rule(
                name=f"r{number}",
                when=when,
                unmatched=draw(st.one_of(conditions, st.none())) if when is None else None,
                targets=TOLD,
                stop=draw(st.booleans()),
                enabled=draw(st.integers(0, 3)) > 0,
            )
        )
    return rules


@settings(max_examples=500, deadline=None)
@given(many_rules(), events)
def test_those_that_spoke_are_explained_as_among_all(
    rules: list[Rule], posted: dict[str, Any]
) -> None:
    event = Event(1, "s", 0.0, b"", posted)
    every = table(rules).explain(event)
    spoke = tuple(one for one in every if one.outcome in ("matched", "error"))
    assert table(rules).explain_spoken(event) == spoke


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        pytest.param(DECISIONS // 10, DECISIONS // 10, id="few are told in full"),
        pytest.param(DECISIONS // 10 + 1, 1, id="of too many those that spoke"),
    ],
)
def test_a_list_tells_a_bounded_number_of_decisions(rules: int, told: int) -> None:
    lines = [Field("trigger", Equals(f"t{number}")) for number in range(rules)]
    made = table([Rule(name=f"r{n}", when=when, targets=TOLD) for n, when in enumerate(lines)])
    rows = [_row(number) for number in range(10)]
    found = explain_list(rows, {"h": made}.get)
    assert [len(decisions) for decisions in found] == [told] * 10
    assert [one.rule for one in found[3] if one.matched] == ["r3"]


def _row(number: int) -> EventRow:
    body = b'{"trigger": "t%d"}' % number
    fields = decode(body)
    return EventRow(
        id=number,
        received_at=0.0,
        source="s",
        trigger=fields["trigger"],
        case_ref=None,
        body=body,
        ruleset="h",
        matched=1,
        rejected=None,
    )


@settings(max_examples=500, deadline=None)
@given(many_rules(), events)
def test_rules_asked_one_by_one_cause_what_they_cause_together(
    rules: list[Rule], posted: dict[str, Any]
) -> None:
    event = Event(1, "s", 0.0, b"", posted)
    made = table(rules)
    together, apart = made.route(event), made._route_each(event)
    assert (apart.matched, apart.planned) == (together.matched, together.planned)
    assert {name for name, _ in apart.errors} == {name for name, _ in together.errors}


def test_a_rule_that_cannot_be_planned_is_an_error_and_the_others_go_on() -> None:
    always = Field("trigger", Equals("t"))
    broken = Rule(name="broken", when=always, targets=TOLD, digest=object())  # type: ignore[arg-type]
    made = table([broken, Rule(name="sound", when=always, targets=TOLD)])
    routing = made.route(Event(1, "s", 0.0, b"", {"trigger": "t"}))
    assert routing.matched == ("sound",)
    assert [name for name, _ in routing.errors] == ["broken"]
    assert [planned.rule for planned in routing.planned] == ["sound"]


def test_a_rule_whose_deliveries_cannot_be_planned_is_an_error() -> None:
    when = Field("trigger", Equals("t"))
    calendar = Calendar("office", "UTC", (((540, 1020),), *[()] * 6))
    timed = Rule(name="timed", when=when, targets=TOLD, hours=Hours(calendar))
    sound = Rule(name="sound", when=when, targets=TOLD)
    event = Event(1, "s", float("inf"), b"", {"trigger": "t"})
    both = table([timed, sound])
    routing = both.route(event)
    assert routing.matched == ("sound",)
    assert [planned.rule for planned in routing.planned] == ["sound"]
    assert [name for name, _ in routing.errors] == ["timed"]
    assert [one.outcome for one in both.explain(event)] == ["error", "matched"]
    assert both.explain_spoken(event) == both.explain(event)


def test_a_rule_for_the_rest_that_fails_is_an_error_and_no_silence() -> None:
    rest = Rule(name="rest", when=None, unmatched=If("1 // case_version"), targets=TOLD)
    event = Event(1, "s", 0.0, b"", {"trigger": "t", "case_version": 0})
    alone = table([rest])
    assert [name for name, _ in alone.route(event).errors] == ["rest"]
    assert [one.outcome for one in alone.explain(event)] == ["error"]
