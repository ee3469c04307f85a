"""The backtest: what new rules would have said otherwise, counted and shown."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from router.backtest import Report, Row, Side, backtest, diff
from router.backtest import tally as tally_module
from router.backtest.changes import EXAMPLES
from router.calendar import Calendar
from router.condition import Equals, Field, If, OneOf
from router.delivery import formats
from router.event import Event
from router.render import Renderer
from router.route import RoutingTable
from router.rules import Channel, Digest, Remind, Rule, Ruleset, Target, Throttle
from router.secret import Secret

HOUR = 3600.0
ALWAYS = Calendar("always", "UTC", (((0, 1440),),) * 7)
ENTERS = Field("trigger", Equals("enters"))
LEAVES = Field("trigger", Equals("leaves"))


def rule(name: str = "r", channel: str = "c", **more: Any) -> Rule:
    given: dict[str, Any] = {"when": ENTERS, "title": "{{ case_id }}", "body": "-", **more}
    return Rule(name=name, targets=(Target(channel),), **given)


def ruleset(*rules: Rule, url: str = "https://a.example", **templates: str) -> Ruleset:
    channels = {
        name: Channel(name=name, service="webhook", options={"url": Secret(url)}) for name in "cd"
    }
    named = {f"{name}.txt.j2": text for name, text in templates.items()}
    return Ruleset(hash="h", sources={}, channels=channels, rules=rules, templates=named, files={})


def side(given: Ruleset) -> Side:
    renderer = Renderer(given.templates, base_url="http://x")
    return Side(RoutingTable(given), renderer, formats(given.channels))


def event(number: int, hours: float, trigger: str = "enters", case: int = 1) -> Event:
    fields = {"trigger": trigger, "case_id": case}
    return Event(number, "s", hours * HOUR, json.dumps(fields).encode(), fields)


def told(old: Any, new: Any, *events: Event, until: float = 1000) -> Report:
    before, after = (
        side(given if isinstance(given, Ruleset) else ruleset(*given)) for given in (old, new)
    )
    return backtest(before, after, events, until * HOUR)


def numbers(report: Report) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    return {(r.rule, r.channel): (r.new, r.gone, r.other, r.same) for r in report.rows}


def only(report: Report) -> Row:
    (row,) = [row for row in report.rows if row.changed or row.unchecked]
    return row


def test_the_same_rules_change_nothing() -> None:
    rules = [
        rule(),
        rule("later", "d", after=HOUR, unless=LEAVES, remind=Remind(HOUR, 2)),
        rule("seldom", throttle=Throttle(HOUR)),
        rule("digest", "d", digest=Digest(HOUR, None, ALWAYS)),
    ]
    events = [event(n, n / 3, case=n % 4) for n in range(40)]
    report = told(rules, rules, *events)
    assert not report.changed
    assert all(r.same and not r.changed for r in report.rows)
    assert report.events == 40


def test_what_a_new_rule_says_is_new_and_what_a_gone_rule_said_is_gone() -> None:
    both = rule(when=Field("trigger", OneOf((Equals("enters"), Equals("leaves")))))
    report = told([both, rule("x", "d")], [rule(), rule("y", "d", title="y")], event(1, 0),
                  event(2, 1, "leaves"))  # fmt: skip
    assert numbers(report) == {
        ("r", "c"): (0, 1, 0, 1),
        ("x", "d"): (0, 1, 0, 0),
        ("y", "d"): (1, 0, 0, 0),
    }
    whys = {row.rule: [change.why for change in row.examples] for row in report.rows}
    assert whys == {
        "r": ["trigger is `leaves`, not `enters`"],
        "x": ["there is no such rule"],
        "y": ["there is no such rule"],
    }
    (new,) = report.rows[1].examples
    assert (new.kind, new.at, new.was) == ("new", 0.0, None)
    assert new.after is not None
    assert new.after.title == "y"


def test_other_words_are_told_with_both() -> None:
    report = told([rule(title="old {{ case_id }}")], [rule(title="new {{ case_id }}")], event(1, 0))
    row = only(report)
    assert (row.other, row.aspects) == (1, {"words": 1})
    (change,) = row.examples
    assert change.before is not None
    assert change.after is not None
    assert diff(change.before, change.after)[:2] == ["- old 1", "+ new 1"]


@pytest.mark.parametrize(
    ("before", "after", "differs"),
    [
        pytest.param({"t": "a"}, {"t": "b"}, 1, id="its own template"),
        pytest.param({"t": "a", "u": "a"}, {"t": "a", "u": "b"}, 0, id="another's template"),
        pytest.param({"t": "a{# x #}"}, {"t": "a"}, 0, id="a comment in it"),
        pytest.param(
            {"t": "{% include 'p.txt.j2' %}", "p": "a"},
            {"t": "{% include 'p.txt.j2' %}", "p": "b"},
            1,
            id="a template it includes",
        ),
        pytest.param(
            {"t": "{% extends 'l.txt.j2' %}{% block body %}x{% endblock %}",
             "l": "{% block title %}a{% endblock %}{% block body %}{% endblock %}"},
            {"t": "{% extends 'l.txt.j2' %}{% block body %}x{% endblock %}",
             "l": "{% block title %}b{% endblock %}{% block body %}{% endblock %}"},
            1,
            id="a template it extends",
        ),
        pytest.param(
            {"t": "{% include trigger ~ '.txt.j2' %}", "enters": "a"},
            {"t": "{% include trigger ~ '.txt.j2' %}", "enters": "b"},
            1,
            id="a template that the event names",
        ),
    ],
)  # fmt: skip
def test_words_differ_with_what_they_are_made_of(
    before: dict[str, str], after: dict[str, str], differs: int
) -> None:
    plain = rule(title=None, body=None, template="t")
    report = told(ruleset(plain, **before), ruleset(plain, **after), event(1, 0))
    assert sum(row.other for row in report.rows) == differs
    assert report.total("same") == 1 - differs


def test_another_time_is_told_as_such() -> None:
    old, new = (rule(after=hours * HOUR, unless=LEAVES) for hours in (2, 3))
    report = told([old], [new], event(1, 0))
    row = only(report)
    assert (row.other, row.aspects) == (1, {"time": 1})
    (change,) = row.examples
    assert (change.was, change.at) == (2 * HOUR, 3 * HOUR)


def test_what_still_waits_at_the_end_is_not_gone() -> None:
    report = told([rule()], [rule(after=9 * HOUR, unless=LEAVES)], event(1, 0), until=5)
    assert report.waiting == (0, 1)
    (change,) = only(report).examples
    assert (change.kind, change.waits_until) == ("other", 9 * HOUR)
    assert (change.was, change.at) == (0.0, None)


def test_why_a_timer_stayed_silent_is_told() -> None:
    old = rule(after=HOUR, unless=LEAVES)
    new = rule(after=3 * HOUR, unless=LEAVES)
    report = told([old], [new], event(1, 0), event(2, 2, "leaves"))
    (change,) = only(report).examples
    assert (change.kind, change.why) == ("gone", "event 2 met its `unless`")


def test_a_throttle_moves_what_is_said_and_says_why() -> None:
    old, new = rule(throttle=Throttle(HOUR)), rule(throttle=Throttle(4 * HOUR))
    report = told([old], [new], event(1, 0), event(2, 2), event(3, 4))
    row = only(report)
    assert (row.gone, row.other, row.same) == (1, 1, 1)
    gone, other = row.examples[1], row.examples[0]
    assert gone.why == "throttled: event 1 was told within 4 h"
    assert other.aspects == ("words",)  # it says that one was held back


def test_a_digest_that_lists_others_is_the_same_message_differently() -> None:
    old = rule(digest=Digest(2 * HOUR, None, ALWAYS))
    new = rule(digest=Digest(4 * HOUR, None, ALWAYS))
    report = told([old], [new], event(1, 0), event(2, 1), event(3, 3))
    row = only(report)
    assert (row.other, row.gone) == (1, 1)
    assert row.aspects == {"time": 1, "events": 1}
    (gone,) = [change for change in row.examples if change.kind == "gone"]
    assert (gone.event.id, gone.why) == (3, "it is told in one message with others")


def test_a_digest_that_begins_with_another_event_is_found_again() -> None:
    both = Field("trigger", OneOf((Equals("enters"), Equals("leaves"))))
    old = rule(when=both, digest=Digest(2 * HOUR, None, ALWAYS))
    new = rule(when=ENTERS, digest=Digest(2 * HOUR, None, ALWAYS))
    report = told([old], [new], event(1, 0, "leaves"), event(2, 1), event(3, 1.5))
    row = only(report)
    assert (row.other, row.new, row.gone) == (1, 0, 0)
    assert row.aspects == {"time": 1, "events": 1}


def test_a_rule_with_another_name_is_not_new() -> None:
    report = told([rule("old")], [rule("new")], event(1, 0))
    row = only(report)
    assert (row.rule, row.other, row.aspects) == ("new", 1, {"rule": 1})
    assert row.examples[0].old_rule == "old"


def test_rules_that_fail_and_channels_that_go_elsewhere_are_told_without_secrets() -> None:
    broken = rule("broken", when=If("case_version > 5"))
    report = told(ruleset(rule()), ruleset(rule(), broken, url="https://b.example"), event(1, 0))
    assert report.failed == {"broken": (0, 1)}
    assert report.moved == {"c": ("webhook", "url"), "d": ("webhook", "url")}
    assert report.changed
    assert b"example" not in msgspec.json.encode(report.moved)


def test_examples_are_few_and_what_is_not_compared_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "COMPARED", 10)
    events = [event(n, n, case=n) for n in range(25)]
    report = told([rule()], [rule(title="{{ case_id }}!")], *events)
    row = only(report)
    assert (row.other, row.unchecked, len(row.examples)) == (10, 15, EXAMPLES)


def test_a_channel_that_is_gone_is_gone() -> None:
    new = msgspec.structs.replace(ruleset(rule()), channels={"c": ruleset().channels["c"]})
    report = told(ruleset(rule(), rule("x", "d")), new, event(1, 0))
    assert numbers(report) == {("r", "c"): (0, 0, 0, 1), ("x", "d"): (0, 1, 0, 0)}
