"""Rules that stand in each other's way: one that stops before another, two that say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from router.condition import Always, AnyOf, Condition
from router.problem import Problem
from router.rulebook.reach import triggers_of
from router.rulebook.worlds import Weighed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.rulebook.tree import Path, Tree
    from router.rules import Rule

MOST_TOGETHER = 8
"""So many stopping rules are looked at together; where there are more, only one by one."""
MOST_ALIKE = 50
"""A rule is held against so many others that send the same words to the same channel."""


class _Speaking(NamedTuple):
    """A rule that may speak, and where it stands."""

    number: int
    rule: Rule
    when: Condition
    weighed: Weighed
    triggers: frozenset[str]
    tree: Tree
    path: Path

    def problem(self, text: str, note: str) -> Problem:
        return Problem(self.tree.value((*self.path, "name")), text, (note,))


def hidden(rules: Sequence[tuple[Rule, Tree, Path]]) -> Iterator[Problem]:
    """Rules that an earlier one stops or repeats, and an `otherwise` that nothing is left for."""
    speaking = [
        _Speaking(n, rule, rule.when, Weighed(rule.when), triggers_of(rule.when), tree, path)
        for n, (rule, tree, path) in enumerate(rules)
        if rule.enabled and rule.when is not None
    ]
    yield from _stopped(speaking)
    yield from _said_twice(speaking)
    yield from _nothing_left(rules, speaking)


def _stopped(speaking: Sequence[_Speaking]) -> Iterator[Problem]:
    stopping: dict[str, list[_Speaking]] = {}
    for one in speaking:
        names = _in_the_way([stopping.get(trigger, []) for trigger in one.triggers], one.weighed)
        if names:
            told = " and ".join(f"`{name}`" for name in names)
            verb = "stops" if len(names) == 1 else "together stop"
            text = f"rule `{one.rule.name}` is never reached: {told} {verb} before it"
            yield one.problem(text, "move it up, or take `stop` away")
        if one.rule.stop:
            for trigger in one.triggers:
                stopping.setdefault(trigger, []).append(one)


def _in_the_way(stopping: Sequence[list[_Speaking]], later: Weighed) -> list[str]:
    """The earlier rules that stop before each event of a condition: one, or some together.

    `stopping` are those that stop each of its triggers: one alone is among those of every trigger.
    """
    for earlier in min(stopping, key=len, default=[]):
        if later.within(earlier.when):
            return [earlier.rule.name]
    found = {one.number: one for several in stopping for one in several}
    some = [found[number] for number in sorted(found)]
    if not 1 < len(some) <= MOST_TOGETHER or not _together(some, later):
        return []
    for one in list(some):  # leave out those without which it is still never reached
        rest = [other for other in some if other is not one]
        if _together(rest, later):
            some = rest
    return [one.rule.name for one in some]


def _together(some: Sequence[_Speaking], later: Weighed) -> bool:
    return later.within(AnyOf(tuple(one.when for one in some)))


def _said_twice(speaking: Sequence[_Speaking]) -> Iterator[Problem]:
    said: dict[tuple[object, ...], list[_Speaking]] = {}
    for one in speaking:
        told: set[str] = set()
        for target in one.rule.targets:
            alike = said.setdefault(_words(one.rule, target.channel, target.template), [])
            for other in alike[-MOST_ALIKE:]:
                note = _same_events(other, one)
                if note is not None and other.rule.name not in told:
                    told.add(other.rule.name)
                    names = f"`{other.rule.name}` and `{one.rule.name}`"
                    text = f"rules {names} send `{target.channel}` the same words"
                    yield Problem(one.problem(text, note).position, text, (note,), "warning")
            alike.append(one)


def _words(rule: Rule, channel: str, template: str | None) -> tuple[object, ...]:
    """What is said to a channel, and when: rules that share it say the same."""
    own = (template, None, None) if template else (rule.template, rule.title, rule.body)
    return (channel, *own, rule.after, rule.digest, rule.hours, rule.throttle)


def _same_events(one: _Speaking, two: _Speaking) -> str | None:
    """How the events of two rules are the same, or None."""
    if one.rule.stop:
        return None
    if one.when == two.when:
        return "one of them is enough"
    for narrow, wide in ((two, one), (one, two)):
        if narrow.weighed.within(wide.when):
            return f"every event of `{narrow.rule.name}` is one of `{wide.rule.name}` too"
    return None


def _nothing_left(
    rules: Sequence[tuple[Rule, Tree, Path]], speaking: Sequence[_Speaking]
) -> Iterator[Problem]:
    """An `otherwise` beside a rule that speaks about every event."""
    anything = Weighed(Always())
    every = next((one.rule for one in speaking if anything.within(one.when)), None)
    for rule, tree, path in rules if every is not None else ():
        if rule.enabled and rule.when is None and every is not None:
            text = f"rule `{rule.name}` is never reached: `{every.name}` speaks about every event"
            where = tree.key((*path, "otherwise"))
            yield Problem(where, text, ("`otherwise` is for what no other rule speaks about",))
