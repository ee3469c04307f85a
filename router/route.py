"""Route: all decisions for an event, and the deliveries they make. Pure, and never raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from router.condition import AllOf, AnyOf, Condition, If, Not
from router.match import Check, Index, evaluate
from router.render.expression import compile_expression
from router.timing import Gone, Planned, Terms, is_timed, plan, terms_of, waits_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.event import Event
    from router.rules import Rule, Ruleset


class Routing(msgspec.Struct, frozen=True):
    """What an event causes: the rules that speak, their deliveries, and the rules that failed.

    `cancels` are the rules whose waiting messages about this case are not to be said any more.
    """

    matched: tuple[str, ...]
    planned: tuple[Planned, ...]
    errors: tuple[tuple[str, str], ...] = ()
    cancels: tuple[str, ...] = ()


class Decision(msgspec.Struct, frozen=True):
    """One rule's answer for one event, and why.

    `not reached`: an earlier rule stopped the list. `parked`: the rule is not enabled. `misses`
    counts the conditions that kept it silent.
    """

    rule: str
    outcome: Literal["matched", "no match", "error", "not reached", "parked"]
    reason: str
    checks: tuple[Check, ...] = ()
    misses: int = 0

    @property
    def matched(self) -> bool:
        return self.outcome == "matched"


class RoutingTable:
    """A ruleset, compiled once: `route` answers fast, `explain` answers in full."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        rules = ruleset.rules
        conditions = [rule.when if rule.enabled else None for rule in rules]
        ending = [rule.unless if rule.enabled else None for rule in rules]
        silent = [rule.unmatched for rule in rules]
        every = [when for when in (*conditions, *ending, *silent) if when is not None]
        sources = {source for when in every for source in _expressions(when)}
        self._expressions = {source: compile_expression(source) for source in sources}
        self._index = Index(conditions, self._expressions)
        self._ending = Index(ending, self._expressions) if any(ending) else None
        self._otherwise = [r for r in rules if r.enabled and r.when is None]
        self._by_name = {rule.name: rule for rule in rules}
        self._at_once = {rule.name: plan(rule, None) for rule in rules if not is_timed(rule)}

    def route(self, event: Event) -> Routing:
        """Return what the event causes. The same event and ruleset give the same routing.

        Never raises: where a rule fails in a way that nobody thought of, it alone is an error.
        """
        try:
            return self._route(event)
        except Exception:  # noqa: BLE001 - found again, rule by rule, and told as that rule's error
            return self._route_each(event)

    def _route_each(self, event: Event) -> Routing:
        """Ask every rule by itself, slowly, so that one that fails concerns no other."""
        fields = _fields(event)
        errors: list[tuple[str, str]] = []
        planned: list[Planned] = []
        rules = [rule for rule in self.ruleset.rules if rule.enabled]
        matched = self._ask_each([r for r in rules if r.when is not None], event, planned, errors)
        if not matched:
            matched = self._ask_each(self._otherwise, event, planned, errors)
        planned.sort(key=waits_until)
        cancels: list[str] = []
        for rule in rules:
            answer = "match" if rule.unless is None else self._answer(rule.unless, fields)
            if rule.unless is not None and answer == "match":
                cancels.append(rule.name)
            elif answer not in ("match", "no match"):
                errors.append((rule.name, f"`unless`: {answer}"))
        names = tuple(rule.name for rule in matched if rule.unmatched is None)
        return Routing(names, tuple(planned), tuple(errors), tuple(cancels))

    def _ask_each(
        self,
        rules: Sequence[Rule],
        event: Event,
        planned: list[Planned],
        errors: list[tuple[str, str]],
    ) -> list[Rule]:
        """The rules that match, to the first that stops; adds what they plan, and who failed."""
        matched: list[Rule] = []
        for rule in rules:
            when = rule.unmatched if rule.when is None else rule.when
            answer = "match" if when is None else self._answer(when, _fields(event))
            try:
                if answer == "match":
                    planned += self._at_once.get(rule.name) or plan(rule, event)
            except Exception as error:  # noqa: BLE001 - it is this rule's error
                answer = _failed(error)
            if answer == "match":
                matched.append(rule)
                if rule.stop:
                    break
            elif answer != "no match":
                errors.append((rule.name, answer))
        return matched

    def _answer(self, condition: Condition, fields: dict[str, Any]) -> str:
        """`match`, `no match`, or why it cannot be said."""
        try:
            verdict = evaluate(condition, fields, self._expressions)
        except Exception as error:  # noqa: BLE001 - it is this condition's error
            return _failed(error)
        return verdict.reason if verdict.answer == "error" else verdict.answer

    def _route(self, event: Event) -> Routing:
        fields = _fields(event)
        speaking, errors = self._heard(fields)
        if not speaking:
            speaking, failed = self._rest(fields)
            errors += failed
        planned: list[Planned] = []
        for rule in speaking:
            planned += self._at_once.get(rule.name) or plan(rule, event)
        if len(planned) > 1:
            planned.sort(key=waits_until)
        cancels: tuple[str, ...] = ()
        if self._ending is not None:
            ended = self._ending.match(fields)
            rules = self.ruleset.rules
            cancels = tuple(rules[number].name for number in ended.rules)
            errors += tuple((rules[n].name, f"`unless`: {t}") for n, t in ended.errors.items())
        matched = tuple(rule.name for rule in speaking if rule.unmatched is None)
        return Routing(matched, tuple(planned), errors, cancels)

    def _heard(self, fields: dict[str, Any]) -> tuple[list[Rule], tuple[tuple[str, str], ...]]:
        """The rules whose `when` holds, to the first that stops, and those that failed by then."""
        found = self._index.match(fields)
        rules = self.ruleset.rules
        speaking: list[Rule] = []
        last = len(rules)
        for number in found.rules:
            speaking.append(rules[number])
            if rules[number].stop:
                last = number
                break
        return speaking, tuple((rules[n].name, t) for n, t in found.errors.items() if n < last)

    def terms(self, event: Event, planned: Planned) -> Terms | Gone:
        """What holds for a delivery whose moment has come, by the rules as they are now."""
        rule = self._by_name.get(planned.rule)
        if rule is None:
            return Gone(f"rule `{planned.rule}` is no longer in the rules")
        if not rule.enabled:
            return Gone(f"rule `{rule.name}` is parked")
        return terms_of(rule, event, planned)

    def closed_until(self, rule: str, now: float) -> tuple[float, str] | None:
        """Until when a rule may not speak now, and why; None if it may."""
        found = self._by_name.get(rule)
        if found is None or found.hours is None or found.hours.drop:
            return None
        opens = found.hours.calendar.next_open(now)
        if opens is None or opens <= now:
            return None
        return opens, f"{found.hours.calendar.name} is closed"

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
                decisions[rule.name] = decision = self._remaining(rule, fields, spoke, stopped)
                if decision.matched and rule.stop:
                    stopped = rule.name
        return tuple(self._planned(decisions[rule.name], event) for rule in self.ruleset.rules)

    def explain_spoken(self, event: Event) -> tuple[Decision, ...]:
        """What `explain` says of the rules that matched or failed, without asking the others."""
        fields = _fields(event)
        speaking, errors = self._heard(fields)
        failed = [self._by_name[name] for name, _ in errors]
        found = [
            self._decide(rule, rule.when, fields, None)
            for rule in (*speaking, *failed)
            if rule.when is not None
        ]
        stopped: str | None = None
        for rule in () if speaking else self._otherwise:
            found.append(decision := self._remaining(rule, fields, None, stopped))
            if decision.matched and rule.stop:
                stopped = rule.name
        told = {
            one.rule: self._planned(one, event)
            for one in found
            if one.outcome in ("matched", "error")
        }
        return tuple(told[name] for name in self._by_name if name in told)

    def _decide(
        self, rule: Rule, when: Condition, fields: dict[str, Any], stopped: str | None
    ) -> Decision:
        if stopped is not None:
            return Decision(rule.name, "not reached", f"rule `{stopped}` stopped the list")
        try:
            verdict = evaluate(when, fields, self._expressions)
        except Exception as error:  # noqa: BLE001 - it is this rule's error
            return Decision(rule.name, "error", _failed(error))
        outcome: Literal["matched", "no match", "error"] = (
            "matched" if verdict.answer == "match" else verdict.answer
        )
        return Decision(rule.name, outcome, verdict.reason, verdict.checks, verdict.misses)

    def _remaining(
        self, rule: Rule, fields: dict[str, Any], spoke: str | None, stopped: str | None
    ) -> Decision:
        if spoke is not None:
            return Decision(rule.name, "no match", f"rule `{spoke}` spoke")
        if rule.unmatched is not None:
            return self._decide(rule, rule.unmatched, fields, stopped)
        if stopped is not None:
            return Decision(rule.name, "not reached", f"rule `{stopped}` stopped the list")
        return Decision(rule.name, "matched", "no other rule spoke")

    def _rest(self, fields: dict[str, Any]) -> tuple[list[Rule], tuple[tuple[str, str], ...]]:
        """The rules for what no other matched, to the first that stops, and those that failed."""
        matched: list[Rule] = []
        errors: list[tuple[str, str]] = []
        for rule in self._otherwise:
            if rule.unmatched is not None:
                verdict = evaluate(rule.unmatched, fields, self._expressions)
                if verdict.answer == "error":
                    errors.append((rule.name, verdict.reason))
                if verdict.answer != "match":
                    continue
            matched.append(rule)
            if rule.stop:
                break
        return matched, tuple(errors)

    def _planned(self, decision: Decision, event: Event) -> Decision:
        """The decision, or an error if the rule matched and its deliveries cannot be planned."""
        rule = self._by_name[decision.rule]
        if not decision.matched or rule.name in self._at_once:
            return decision
        try:
            plan(rule, event)
        except Exception as error:  # noqa: BLE001 - it is this rule's error, as in `route`
            return Decision(rule.name, "error", _failed(error), decision.checks)
        return decision


def _failed(error: Exception) -> str:
    return f"the router itself failed ({type(error).__name__})"


def _fields(event: Event) -> dict[str, Any]:
    return {**event.fields, "source": event.source}


def _expressions(condition: Condition) -> Iterator[str]:
    match condition:
        case If(source=source):
            yield source
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _expressions(part)
        case Not(part=part):
            yield from _expressions(part)
