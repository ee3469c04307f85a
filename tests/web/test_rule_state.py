"""How the rules do: their words, their lines, what is shown of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from router.condition import Always
from router.ledger import Mute, Tally
from router.problem import Position
from router.rules import Channel, Escalation, Rule, Ruleset, Target
from router.web.rule_state import RuleState, graph_of_some, narrow, rule_states, sources_of

if TYPE_CHECKING:
    from router.web.rule_state import Show

FILE = """\
rules:
  # About approvals.
  - name: first
    when: always

    # inside
    notify: a
  # About the second.
  - when: always
    name: second
    escalate:
      - { after: 1d, notify: b }

  - { name: third, when: always, notify: c }
tests: []
"""


def rule(name: str, line: int, channel: str, **more: Any) -> Rule:
    where = Position("rules.yaml", line, 11)
    return Rule(name=name, when=Always(), targets=(Target(channel),), position=where, **more)


RULES = (
    rule("first", 3, "a"),
    rule("second", 10, "a", escalate=(Escalation(86400.0, (Target("b"),)),)),
    rule("third", 14, "c", enabled=False),
)


def ruleset() -> Ruleset:
    options: dict[str, Any] = {"service": "webhook", "options": {}}
    fallbacks = {"a": None, "b": "d", "c": "c2", "c2": "c", "d": None}
    channels = {n: Channel(name=n, fallback=f, **options) for n, f in fallbacks.items()}
    return Ruleset(
        hash="h",
        sources={},
        channels=channels,
        rules=RULES,
        templates={},
        files={"rules.yaml": FILE},
    )


class Force:
    """As much of what is in force as is asked for."""

    def __init__(self) -> None:
        self.ruleset = ruleset()
        self.tests = ()


def states(*mutes: Mute) -> list[RuleState]:
    matched = {"first": Tally("first", 0.0, 3, 9.0)}
    return rule_states(Force(), matched, mutes)  # type: ignore[arg-type]


def test_a_rule_has_a_word_and_what_it_matched() -> None:
    found = states()
    assert [(one.word, one.number, one.last) for one in found] == [
        ("matched", 3, 9.0),
        ("never matched", 0, None),
        ("parked", 0, None),
    ]
    muted = states(Mute(1, "rule", "first", "r", "ann", 0.0, 9.0))[0]
    assert (muted.word, muted.number) == ("muted", 3)
    assert found[1].channels == {"a": "", "b": "escalation"}


@pytest.mark.parametrize(
    ("show", "text", "names"),
    [
        ("", "", ["first", "second", "third"]),
        ("never", "", ["second"]),
        ("parked", "", ["third"]),
        ("muted", "", []),
        ("", "SECO", ["second"]),
        ("", "b", ["second"]),
        ("matched", "third", []),
    ],
)
def test_rules_are_narrowed_by_their_state_and_by_words(
    show: Show, text: str, names: list[str]
) -> None:
    assert [one.rule.name for one in narrow(states(), show, text)] == names


def test_the_lines_of_a_rule_begin_at_its_dash_and_end_with_its_last_word() -> None:
    found = sources_of(states(), {"rules.yaml": FILE})
    assert found[0] == (3, "- name: first\n  when: always\n\n  # inside\n  notify: a")
    assert found[1][0] == 9
    assert found[1][1].endswith("- { after: 1d, notify: b }")
    assert found[2] == (14, "- { name: third, when: always, notify: c }")


def test_lines_that_are_not_at_hand_are_nothing() -> None:
    assert sources_of(states(), {}) == [(0, "")] * 3
    assert sources_of(states(), {"rules.yaml": "short"}) == [(0, "")] * 3


def test_some_rules_are_drawn_with_the_channels_they_reach() -> None:
    some = graph_of_some(ruleset(), states()[1:2])
    assert {node.name for node in some.channels} == {"a", "b", "d"}
    assert [node.name for node in some.rules] == ["second"]
    circle = graph_of_some(ruleset(), states()[2:])
    assert {node.name for node in circle.channels} == {"c", "c2"}
    assert len(graph_of_some(ruleset(), states()).channels) == 5
