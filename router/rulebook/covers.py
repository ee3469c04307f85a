"""Coverage: which rules, triggers and branches of `any` no test reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from router.condition import Condition
from router.match import evaluate
from router.problem import Position, Problem
from router.render import compile_expression
from router.route import RoutingTable
from router.rulebook.conditions import WhenReader
from router.rulebook.tree import Path, Tree, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.match import Expressions
    from router.route import Routing
    from router.rulebook.build import Built
    from router.rules import Ruleset


class _Place(msgspec.Struct, frozen=True):
    """A place in a rule that an event can reach: if the rule speaks, and the condition holds.

    For a place in `unless`, if the event cancels what the rule was to say.
    """

    position: Position
    text: str
    rule: str
    condition: Condition | None = None
    cancels: bool = False


def unreached(found: Built) -> list[Problem]:
    """The places of rules that no test's events reach, as warnings; the rules are sound."""
    ruleset = found.ruleset
    if ruleset is None:
        raise AssertionError("rules with problems have no coverage")
    table = RoutingTable(ruleset)
    routed = [(e, table.route(e)) for test in found.tests for e in test.events]
    fields = [({**event.fields, "source": event.source}, routing) for event, routing in routed]
    expressions: dict[str, Any] = _Compiled()
    reached: dict[str, list[dict[str, Any]]] = {}
    ended: dict[str, list[dict[str, Any]]] = {}
    for of_event, routing in fields:
        for rule in _spoke(routing):
            reached.setdefault(rule, []).append(of_event)
        for rule in routing.cancels:
            ended.setdefault(rule, []).append(of_event)
    missed: list[Problem] = []
    for place in _places(ruleset):
        events = (ended if place.cancels else reached).get(place.rule, [])
        if place.condition is not None and place.rule not in reached:
            continue  # the rule itself is told
        if not any(_holds(place.condition, event, expressions) for event in events):
            missed.append(Problem(place.position, place.text, (), "warning"))
    return missed


def _spoke(routing: Routing) -> set[str]:
    """The rules that speak, those of `unmatched` watches among them."""
    return {*routing.matched, *(planned.rule for planned in routing.planned)}


class _Compiled(dict[str, Any]):
    """Expressions by their source, compiled when they are first asked for."""

    def __missing__(self, source: str) -> Any:
        self[source] = compile_expression(source)
        return self[source]


def _holds(condition: Condition | None, event: dict[str, Any], expressions: Expressions) -> bool:
    return condition is None or evaluate(condition, event, expressions).answer == "match"


def _places(ruleset: Ruleset) -> Iterator[_Place]:
    files = (rule.position.file for rule in ruleset.rules if rule.position is not None)
    for file in dict.fromkeys(files):
        # What is shown has stars for a secret, which are no YAML.
        tree = parse(ruleset.files[file], file)
        given = tree.data.get("rules") if isinstance(tree.data, dict) else None
        for number, rule in enumerate(given if isinstance(given, list) else []):
            if isinstance(rule, dict) and rule.get("enabled") is not False:
                yield from _in_rule(tree, rule, ("rules", number))


def _in_rule(tree: Tree, rule: dict[str, Any], path: Path) -> Iterator[_Place]:
    name = str(rule["name"])
    reader = WhenReader(tree, {})
    yield _Place(tree.value((*path, "name")), f"no test reaches rule `{name}`", name)
    for key, verb in (("when", "reaches"), ("unless", "cancels by")):
        for at, data, words in _branches(rule.get(key), (*path, key)):
            condition = reader.read(data, at, name)
            text = f"rule `{name}`: no test {verb} {words}"
            yield _Place(tree.value(at), text, name, condition, key == "unless")


def _branches(data: Any, path: Path) -> Iterator[tuple[Path, Any, str]]:
    """Where the branches of a condition stand: its parts of `any`, and triggers in a list.

    What stands under `not` is no branch, and triggers that cancel are none.
    """
    for name, value in data.items() if isinstance(data, dict) else ():
        at = (*path, name)
        if name in ("any", "all"):
            for number, part in enumerate(value):
                if name == "any":
                    yield (*at, number), part, "this branch of `any`"
                yield from _branches(part, (*at, number))
        elif name == "trigger" and isinstance(value, list) and "unless" not in path:
            for number, trigger in enumerate(value):
                words = f"it with `{trigger}`" if isinstance(trigger, str) else "this trigger"
                yield (*at, number), {"trigger": trigger}, words
