"""A rulebook in the making: what its files say, read one after the other, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from router.calendar import Calendar
from router.message import SEVERITIES, Severity
from router.problem import Problem
from router.rulebook.calendars import read_calendars
from router.rulebook.channels import ChannelReader, read_retry, read_sources
from router.rulebook.conditions import Places, WhenReader
from router.rulebook.files import Files
from router.rulebook.outside import Outside
from router.rulebook.rule_test import RuleTest
from router.rulebook.shape import IncludedShape, RulebookShape
from router.rulebook.shape_test import TestFileShape
from router.rulebook.tests import Known, read_tests
from router.rulebook.timing import TimingReader
from router.rulebook.tree import Path, Tree, parse
from router.rulebook.validate import validate
from router.rulebook.watches import WatchReader
from router.rules import Channel, Retry, Rule, Source, Target, Watch


class Draft:
    """A rulebook in the making: what its files say so far, and where."""

    def __init__(self) -> None:
        self.trees: list[Tree] = []
        self.groups: dict[str, list[str]] = {}
        self.rules: list[tuple[Rule, Tree, Path]] = []
        self.channels: dict[str, Channel] = {}
        self.declared: set[str] = set()
        self.sources: dict[str, Source] = {}
        self.whole = True  # whether every file of it could be read
        self.known: dict[str, list[Any]] = {}
        self.calendars: dict[str, Calendar] = {}
        self.used_calendars: set[str] = set()
        self.watches: list[Watch] = []
        self.unmatched: list[tuple[Rule, Tree, Path]] = []
        self.places: Places = {}
        self.beside: list[Tree] = []
        self.tests: list[RuleTest] = []
        self.of_tests: list[Problem] = []

    @property
    def main(self) -> Tree:
        return self.trees[0]

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """The rules, and the watches of unmatched events, which are rules of their own."""
        return tuple(rule for rule, _, _ in (*self.rules, *self.unmatched))


def read_draft(files: Files, outside: Outside) -> Draft:
    """Read what the files say; what is wrong is told to their trees."""
    draft = Draft()
    draft.trees = [parse(text, name) for name, text in files.rules.items()]
    main = draft.main
    draft.beside = [parse(text, name) for name, text in files.tests.items()]
    shaped = [validate(main, RulebookShape)]
    shaped += [validate(tree, IncludedShape) for tree in draft.trees[1:]]
    draft.whole = all(shaped)
    for tree in draft.beside:
        validate(tree, TestFileShape)
    if not isinstance(main.data, dict):
        return draft
    draft.sources = read_sources(main, outside)
    defaults = main.data.get("defaults")
    defaults = defaults if isinstance(defaults, dict) else {}
    retry = read_retry(main, defaults.get("retry"), ("defaults", "retry"), Retry())
    draft.channels = ChannelReader(main, outside, retry).read()
    declared = main.data.get("channels")
    draft.declared = set(declared) if isinstance(declared, dict) else set()
    known = main.data.get("known")
    named = known.items() if isinstance(known, dict) else ()
    draft.known = {
        name: [value for value in values if isinstance(value, str | int | float)]
        for name, values in named
        if isinstance(values, list)
    }
    draft.calendars = read_calendars(main, files.others)
    for tree in draft.trees:
        _read_groups(draft, tree)
    for tree in draft.trees:
        _read_rules(draft, tree, defaults)
    for tree in draft.trees:
        _read_watches(draft, tree)
    rules = {rule.name: rule for rule in draft.all_rules}
    can = Known(draft.sources, rules, draft.declared, draft.calendars)
    told = [len(tree.problems) for tree in draft.trees]
    draft.tests = read_tests((*draft.trees, *draft.beside), can)
    for tree, number in zip(draft.trees, told, strict=True):
        draft.of_tests += tree.problems[number:]
    for tree in draft.beside:
        draft.of_tests += tree.problems
    return draft


def _read_groups(draft: Draft, tree: Tree) -> None:
    given = tree.data.get("groups") if isinstance(tree.data, dict) else None
    for name, members in given.items() if isinstance(given, dict) else ():
        path: Path = ("groups", name)
        if name in draft.channels:
            tree.tell(tree.key(path), f"`{name}` is a channel already; a group needs another name")
        elif name in draft.groups:
            tree.tell(tree.key(path), f"the group `{name}` stands in another file already")
        elif isinstance(members, list):
            draft.groups[name] = [m for m in members if isinstance(m, str)]


def _read_rules(draft: Draft, tree: Tree, defaults: Mapping[str, Any]) -> None:
    given = tree.data.get("rules") if isinstance(tree.data, dict) else None
    reader = WhenReader(tree, draft.places)
    timing = TimingReader(tree, draft.calendars)
    usual = _text(defaults.get("calendar"))
    if usual is not None and tree is draft.main:
        timing.calendar(usual, ("defaults", "calendar"), "`defaults`")
    usual = usual if usual in draft.calendars else None
    for number, data in enumerate(given if isinstance(given, list) else []):
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            continue  # the shape's check has told it
        path: Path = ("rules", number)
        rule = _rule(draft, tree, path, data, defaults, reader, timing)
        if any(rule.name == other.name for other, _, _ in draft.rules):
            first = next(t.value(p) for o, t, p in draft.rules if o.name == rule.name)
            note = f"the other stands in {first.file}, line {first.line}"
            where = tree.value((*path, "name"))
            tree.tell(where, f"two rules are named `{rule.name}`", note)
            continue
        draft.rules.append((rule, tree, path))
    draft.used_calendars |= timing.used


def _read_watches(draft: Draft, tree: Tree) -> None:
    timing = TimingReader(tree, draft.calendars)
    names = {
        "channel_failing": draft.declared,
        "silent_source": list(draft.sources),
        "template_error": [rule.name for rule, _, _ in draft.rules],
    }
    taken = {watch.name for watch in draft.watches} | {r.name for r, _, _ in draft.unmatched}
    reader = WatchReader(
        tree, timing, WhenReader(tree, draft.places), lambda given: _targets(draft, given)
    )
    watches, unmatched = reader.read(names, taken)
    draft.watches += watches
    draft.unmatched += [(rule, tree, path) for rule, path in unmatched]
    draft.used_calendars |= timing.used


def _rule(
    draft: Draft,
    tree: Tree,
    path: Path,
    data: Mapping[str, Any],
    defaults: Mapping[str, Any],
    reader: WhenReader,
    timing: TimingReader,
) -> Rule:
    name = str(data["name"])
    otherwise = data.get("otherwise") is True
    when = None
    if "when" in data:
        if otherwise:
            where = tree.key((*path, "otherwise"))
            tree.tell(where, f"rule `{name}` has both `when` and `otherwise`; one of them decides")
        when = reader.read(data["when"], (*path, "when"), name)
    elif not otherwise:
        where = tree.value((*path, "name"))
        tree.tell(
            where, f"rule `{name}` says not when it speaks", "add `when:` or `otherwise: true`"
        )
    unless = None
    if "unless" in data:
        unless = reader.read(data["unless"], (*path, "unless"), name)
    usual = _text(defaults.get("calendar"))
    times = timing.read(data, path, f"rule `{name}`", usual, lambda given: _targets(draft, given))
    notify = data.get("notify") if data.get("notify") is not None else defaults.get("notify")
    says = any(data.get(key) is not None for key in ("template", "title", "body"))
    return Rule(
        name=name,
        when=when,
        targets=_targets(draft, notify),
        template=_text(data.get("template")) or (None if says else _text(defaults.get("template"))),
        title=_text(data.get("title")),
        body=_text(data.get("body")),
        severity=_severity(data.get("severity")) or _severity(defaults.get("severity")),
        stop=data.get("stop") is True,
        enabled=data.get("enabled") is not False,
        position=tree.value((*path, "name")),
        unless=unless,
        **times,
    )


def _targets(draft: Draft, given: Any) -> tuple[Target, ...]:
    """Who is told: groups are their channels, and a channel is told once."""
    found: dict[str, Target] = {}
    for item in given if isinstance(given, list) else [given]:
        name = item.get("channel") if isinstance(item, dict) else item
        template = _text(item.get("template")) if isinstance(item, dict) else None
        if isinstance(name, str):
            for channel in draft.groups.get(name, [name]):
                found.setdefault(channel, Target(channel, template))
    return tuple(found.values())


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _severity(value: Any) -> Severity | None:
    return next((known for known in SEVERITIES if known == value), None)
