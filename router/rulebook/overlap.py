"""Rules that stand in each other's way: one that stops before another, two that say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.condition import AllOf, Always, Condition
from router.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.rulebook.tree import Path, Tree
    from router.rules import Rule


def hidden(rules: Sequence[tuple[Rule, Tree, Path]]) -> Iterator[Problem]:
    """Rules that an earlier one stops or repeats."""
    stopping: list[Rule] = []
    for number, (rule, tree, path) in enumerate(rules):
        if not rule.enabled or rule.when is None:
            continue
        for earlier in stopping:
            if earlier.when is not None and _covers(earlier.when, rule.when):
                where = tree.value((*path, "name"))
                text = f"rule `{rule.name}` is never reached: `{earlier.name}` stops before it"
                yield Problem(where, text, ("move it up, or take `stop` away",))
                break
        for other, _, _ in rules[:number]:
            if other.enabled and other.when == rule.when and (same := _same_words(other, rule)):
                where = tree.value((*path, "name"))
                text = f"rules `{other.name}` and `{rule.name}` send `{same}` the same words"
                yield Problem(where, text, ("one of them is enough",), "warning")
        if rule.stop:
            stopping.append(rule)


def _covers(earlier: Condition, later: Condition) -> bool:
    """Whether every event that meets the later condition surely meets the earlier one."""
    if isinstance(earlier, Always) or earlier == later:
        return True
    return _parts(earlier) <= _parts(later)


def _parts(condition: Condition) -> set[Condition]:
    return set(condition.parts) if isinstance(condition, AllOf) else {condition}


def _same_words(one: Rule, two: Rule) -> str | None:
    if (one.title, one.body) != (two.title, two.body):
        return None
    said = {(t.channel, t.template or one.template) for t in one.targets}
    return next(
        (t.channel for t in two.targets if (t.channel, t.template or two.template) in said), None
    )
