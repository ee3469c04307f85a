"""What is wrong with rules that read well: names that are not there, rules that can never speak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.condition import Condition, Equals, Field, Glob, OneOf
from router.event import KNOWN_FIELDS, TRIGGERS
from router.match import compile_glob, describe, tests_of
from router.problem import Problem, closest, suggest
from router.rulebook.overlap import hidden
from router.rulebook.reach import carriers, triggers_of
from router.rulebook.words import check_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from router.problem import Position
    from router.rulebook.build import Draft
    from router.rulebook.tree import Path, Tree
    from router.rules import Channel, Rule, Ruleset


def check(
    draft: Draft,
    ruleset: Ruleset,
    inspect_channel: Callable[[Channel], list[str]],
    *,
    render: bool,
) -> list[Problem]:
    """Every problem of a ruleset whose files could be read.

    With `render` (nothing else is wrong), templates are also rendered for the events that reach
    them.
    """
    problems = [
        *_channels(draft, inspect_channel),
        *_names(draft),
        *_conditions(draft),
        *hidden(draft.rules),
        *_unused(draft, ruleset),
        *check_words(draft, ruleset, render=render),
    ]
    if not draft.rules:
        where = draft.main.key(("rules",))
        problems.append(Problem(where, "there are no rules; nobody would be told anything"))
    if not ruleset.sources:
        text = "there are no sources; nobody could post an event"
        problems.append(Problem(draft.main.key(("sources",)), text))
    return problems


def _channels(draft: Draft, inspect_channel: Callable[[Channel], list[str]]) -> Iterator[Problem]:
    tree = draft.main
    for name, channel in draft.channels.items():
        path: Path = ("channels", name)
        # Where the shape is wrong, the service's own words would only repeat it.
        shaped = not any(f"channel `{name}`" in problem.text for problem in tree.problems)
        for text in inspect_channel(channel) if shaped else ():
            yield Problem(tree.key(_near(tree, path, channel, text)), f"channel `{name}`: {text}")
        if channel.fallback is not None:
            where = tree.value((*path, "fallback"))
            if channel.fallback not in draft.declared:
                note = suggest(channel.fallback, draft.declared)
                text = f"channel `{name}` falls back to unknown channel `{channel.fallback}`"
                yield Problem(where, text, (note,))
            elif _circles(draft, name):
                text = f"the fallback of channel `{name}` leads back to itself"
                yield Problem(where, text)
    for tree in draft.trees:
        for name in draft.groups:
            for number, member in enumerate(draft.groups[name]):
                at: Path = ("groups", name, number)
                if tree.value(at) != tree.value(at[:-1]) and member not in draft.declared:
                    text = f"group `{name}` names unknown channel `{member}`"
                    yield Problem(tree.value(at), text, (suggest(member, draft.declared),))


def _near(tree: Tree, path: Path, channel: Channel, text: str) -> Path:
    """The key that an inspection's words begin with, or the service's."""
    named = text.split("`")[1] if text.count("`") > 1 else ""
    inside = (*path, channel.service, named)
    return inside if tree.key(inside) != tree.key(inside[:-1]) else (*path, channel.service)


def _circles(draft: Draft, start: str) -> bool:
    seen = {start}
    at = draft.channels[start].fallback
    while at is not None and at in draft.channels:
        if at in seen:
            return at == start
        seen.add(at)
        at = draft.channels[at].fallback
    return False


def _names(draft: Draft) -> Iterator[Problem]:
    known = {*draft.declared, *draft.groups}
    for rule, tree, path in draft.rules:
        data: Any = tree.data["rules"][path[-1]]
        if data.get("notify") is None and not rule.targets:
            where = tree.value((*path, "name"))
            yield Problem(where, f"rule `{rule.name}` tells nobody", ("add `notify:`",))
        subject = f"rule `{rule.name}`"
        yield from _told(tree, (*path, "notify"), data.get("notify"), subject, known)
        steps = data.get("escalate")
        for number, step in enumerate(steps if isinstance(steps, list) else []):
            if isinstance(step, dict):
                at = (*path, "escalate", number, "notify")
                yield from _told(tree, at, step.get("notify"), subject, known)
    for tree in draft.trees:
        watches = tree.data.get("watch") if isinstance(tree.data, dict) else None
        for number, watch in enumerate(watches if isinstance(watches, list) else []):
            if isinstance(watch, dict):
                at = ("watch", number, "notify")
                yield from _told(tree, at, watch.get("notify"), "this watch", known)
    defaults = draft.main.data.get("defaults")
    given = defaults.get("notify") if isinstance(defaults, dict) else None
    for item in given if isinstance(given, list) else [given]:
        if isinstance(item, str) and item not in known:
            where = draft.main.value(("defaults", "notify"))
            note = suggest(item, known)
            yield Problem(where, f"`defaults` tells unknown channel `{item}`", (note,))


def _told(tree: Tree, at: Path, data: Any, subject: str, known: set[str]) -> Iterator[Problem]:
    """Who is told that is not known."""
    if data is None:
        return
    items = data if isinstance(data, list) else [data]
    if not items:
        yield Problem(tree.value(at), f"{subject} tells nobody; `notify` is empty")
    for number, given in enumerate(items):
        where_at = (*at, number) if isinstance(data, list) else at
        name = given
        if isinstance(given, dict):
            where_at, name = (*where_at, "channel"), given.get("channel")
        if isinstance(name, str) and name not in known:
            text = f"{subject} tells unknown channel `{name}`"
            yield Problem(tree.value(where_at), text, (suggest(name, known),))


def _conditions(draft: Draft) -> Iterator[Problem]:
    for rule, tree, path in draft.rules:
        for key, condition in (("when", rule.when), ("unless", rule.unless)):
            for line in tests_of(condition) if condition is not None else ():
                where = _line_position(tree, (*path, key), line.path)
                yield from _field(rule, line, where, draft.known)
        if rule.unless is not None and not triggers_of(rule.unless):
            text = f"rule `{rule.name}`: nothing can ever meet its `unless`"
            yield Problem(tree.key((*path, "unless")), text)
        if rule.when is not None and rule.enabled and not triggers_of(rule.when):
            yield from _never(rule, tree, path)


def _field(
    rule: Rule, line: Field, where: Position, known: dict[str, list[Any]]
) -> Iterator[Problem]:
    name = line.path.partition(".")[0]
    if name not in KNOWN_FIELDS and name != "source" and line.path not in known:
        guess = closest(name, KNOWN_FIELDS)
        if guess is not None:
            text = f"rule `{rule.name}` tests `{name}`, which atfinity does not send"
            yield Problem(where, text, (f"did you mean `{guess}`?",), "warning")
    allowed = [str(value) for value in known.get(line.path, ())]
    values = list(_texts(line.test))
    if line.path == "trigger" and not allowed:
        for value in values:
            guess = closest(value, TRIGGERS) if value not in TRIGGERS else None
            if guess is not None:
                text = f"rule `{rule.name}` waits for `{value}`, which atfinity does not send"
                yield Problem(where, text, (f"did you mean `{guess}`?",), "warning")
    if allowed:
        for value in values:
            if value not in allowed:
                text = f"rule `{rule.name}`: `{value}` is not among the known `{line.path}`"
                yield Problem(where, text, (suggest(value, allowed),))
        for pattern in _globs(line.test):
            if not any(compile_glob(pattern).matches(value) for value in allowed):
                text = f"rule `{rule.name}`: no known `{line.path}` is like `{pattern}`"
                yield Problem(where, text, (suggest(pattern, allowed),))


def _never(rule: Rule, tree: Tree, path: Path) -> Iterator[Problem]:
    """A rule that no event can meet: often for a field that its triggers never carry."""
    if rule.when is None:
        return
    loose = triggers_of(rule.when, carried=False)
    missing = [
        line for line in tests_of(rule.when)
        if line.path in KNOWN_FIELDS and not loose & carriers(line.path)
    ]  # fmt: skip
    if loose and missing:
        name = missing[0].path
        where = _line_position(tree, (*path, "when"), name)
        told = " and ".join(f"`{trigger}`" for trigger in sorted(loose))
        text = f"rule `{rule.name}` can never match: {told} events carry no `{name}`"
        yield Problem(where, text, (f"events that do: {', '.join(sorted(carriers(name)))}",))
    elif not loose and not _waits_for_new(rule.when):
        where = tree.key((*path, "when"))
        yield Problem(where, f"rule `{rule.name}` can never match: its lines exclude each other")


def _waits_for_new(condition: Condition) -> bool:
    """Whether the condition names a trigger of a newer atfinity."""
    values = [
        value
        for line in tests_of(condition)
        if line.path == "trigger"
        for value in _texts(line.test)
    ]
    return any(value not in TRIGGERS for value in values) or not values


def _unused(draft: Draft, ruleset: Ruleset) -> Iterator[Problem]:
    told = {target.channel for rule in ruleset.rules for target in rule.targets}
    told |= {channel.fallback for channel in ruleset.channels.values() if channel.fallback}
    told |= {t.channel for rule in ruleset.rules for step in rule.escalate for t in step.targets}
    told |= {target.channel for watch in ruleset.watches for target in watch.targets}
    for name in draft.channels:
        if name not in told:
            where = draft.main.key(("channels", name))
            yield Problem(where, f"channel `{name}` is used by no rule", (), "warning")
    for name in draft.calendars:
        if name not in draft.used_calendars:
            where = draft.main.key(("calendars", name))
            yield Problem(where, f"calendar `{name}` is used by nothing", (), "warning")
    named: set[str] = set()
    for tree in draft.trees:
        data = tree.data if isinstance(tree.data, dict) else {}
        rules = data.get("rules")
        watches = data.get("watch")
        blocks = [data.get("defaults"), *(watches if isinstance(watches, list) else [])]
        for rule in rules if isinstance(rules, list) else []:
            steps = rule.get("escalate") if isinstance(rule, dict) else None
            blocks += [rule, *(steps if isinstance(steps, list) else [])]
        for block in blocks:
            given = block.get("notify") if isinstance(block, dict) else None
            for item in given if isinstance(given, list) else [given]:
                named.add(str(item.get("channel") if isinstance(item, dict) else item))
    for tree in draft.trees:
        groups = tree.data.get("groups") if isinstance(tree.data, dict) else None
        for name in groups if isinstance(groups, dict) else ():
            if name not in named:
                where = tree.key(("groups", name))
                yield Problem(where, f"group `{name}` is used by no rule", (), "warning")


def _line_position(tree: Tree, path: Path, field: str) -> Position:
    """Where a field's test stands in a condition: the first line that names it."""
    found = [at for at in tree.paths() if at[: len(path)] == path and at[-1] == field]
    return tree.key(min(found, key=len)) if found else tree.value(path)


def _texts(test: Any) -> Iterator[str]:
    if isinstance(test, Equals) and isinstance(test.value, str):
        yield test.value
    elif isinstance(test, Equals):
        yield describe(test)
    elif isinstance(test, OneOf):
        for inner in test.tests:
            yield from _texts(inner)
    elif hasattr(test, "test"):
        yield from _texts(test.test)


def _globs(test: Any) -> Iterator[str]:
    if isinstance(test, Glob):
        yield test.pattern
    elif isinstance(test, OneOf):
        for inner in test.tests:
            yield from _globs(inner)
