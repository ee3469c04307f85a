"""Route: all decisions for an event, and the deliveries they make. Pure, and never raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from router.condition import AllOf, AnyOf, Condition, If, Not
from router.match import Check, Index, evaluate
from router.render.expression import compile_expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.event import Event
    from router.rules import Rule, Ruleset


class Planned(msgspec.Struct, frozen=True):
    """A delivery that a decision makes: this rule's words, to this channel."""

    rule: str
    channel: str


class Routing(msgspec.Struct, frozen=True):
    """What an event causes: the rules that speak, their deliveries, and the rules that failed."""

    matched: tuple[str, ...]
    planned: tuple[Planned, ...]
    errors: tuple[tuple[str, str], ...] = ()


class Decision(msgspec.Struct, frozen=True):
    """One rule's answer for one event, and why.

    `not reached`: an earlier rule stopped the list. `parked`: the rule is not enabled.
    """

    rule: str
    outcome: Literal["matched", "no match", "error", "not reached", "parked"]
    reason: str
    checks: tuple[Check, ...] = ()

    @property
    def matched(self) -> bool:
        return self.outcome == "matched"


class RoutingTable:
    """A ruleset, compiled once: `route` answers fast, `explain` answers in full."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        conditions = [rule.when if rule.enabled else None for rule in ruleset.rules]
        sources = {source for when in conditions if when for source in _expressions(when)}
        self._expressions = {source: compile_expression(source) for source in sources}
        self._index = Index(conditions, self._expressions)
        self._otherwise = [r for r in ruleset.rules if r.enabled and r.when is None]
        self._planned = {rule.name: _plan(rule) for rule in ruleset.rules}

    def route(self, event: Event) -> Routing:
        """Return what the event causes. The same event and ruleset give the same routing."""
        found = self._index.match(_fields(event))
        rules = self.ruleset.rules
        speaking: list[Rule] = []
        last = len(rules)
        for number in found.rules:
            speaking.append(rules[number])
            if rules[number].stop:
                last = number
                break
        errors = tuple((rules[n].name, text) for n, text in found.errors.items() if n < last)
        if not speaking:
            speaking = _until_stop(self._otherwise)
        planned = tuple(p for rule in speaking for p in self._planned[rule.name])
        return Routing(tuple(rule.name for rule in speaking), planned, errors)

    def explain(self, event: Event) -> tuple[Decision, ...]:
        """Return every rule's decision with its reason, in the order of the rules."""
        fields = _fields(event)
        stopped: str | None = None
        decisions: dict[str, Decision] = {}
        for rule in self.ruleset.rules:
            if rule.enabled and rule.when is not None:
                decision = self._decide(rule, rule.when, fields, stopped)
                decisions[rule.name] = decision
                if decision.matched and rule.stop:
                    stopped = rule.name
        spoke = next((d.rule for d in decisions.values() if d.matched), None)
        for rule in self.ruleset.rules:
            if not rule.enabled:
                decisions[rule.name] = Decision(rule.name, "parked", "the rule is not enabled")
            elif rule.when is None:
                decisions[rule.name] = decision = _otherwise(rule, spoke, stopped)
                if decision.matched and rule.stop:
                    stopped = rule.name
        return tuple(decisions[rule.name] for rule in self.ruleset.rules)

    def _decide(
        self, rule: Rule, when: Condition, fields: dict[str, Any], stopped: str | None
    ) -> Decision:
        if stopped is not None:
            return Decision(rule.name, "not reached", f"rule `{stopped}` stopped the list")
        verdict = evaluate(when, fields, self._expressions)
        outcome: Literal["matched", "no match", "error"] = (
            "matched" if verdict.answer == "match" else verdict.answer
        )
        return Decision(rule.name, outcome, verdict.reason, verdict.checks)


def _fields(event: Event) -> dict[str, Any]:
    return {**event.fields, "source": event.source}


def _plan(rule: Rule) -> tuple[Planned, ...]:
    channels = dict.fromkeys(target.channel for target in rule.targets)
    return tuple(Planned(rule.name, channel) for channel in channels)


def _until_stop(rules: list[Rule]) -> list[Rule]:
    for number, rule in enumerate(rules):
        if rule.stop:
            return rules[: number + 1]
    return rules


def _otherwise(rule: Rule, spoke: str | None, stopped: str | None) -> Decision:
    if spoke is not None:
        return Decision(rule.name, "no match", f"rule `{spoke}` spoke")
    if stopped is not None:
        return Decision(rule.name, "not reached", f"rule `{stopped}` stopped the list")
    return Decision(rule.name, "matched", "no other rule spoke")


def _expressions(condition: Condition) -> Iterator[str]:
    match condition:
        case If(source=source):
            yield source
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _expressions(part)
        case Not(part=part):
            yield from _expressions(part)
