"""Build: files -> ruleset, with every problem on the way. The service and `check` share it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from router.calendar import Calendar
from router.problem import Problem
from router.rulebook.calendars import read_calendars
from router.rulebook.channels import ChannelReader, read_retry, read_sources
from router.rulebook.check import check
from router.rulebook.conditions import WhenReader
from router.rulebook.files import OTHERS, TEMPLATES, Files, other_file, template_file
from router.rulebook.outside import Environment, Nothing, Outside
from router.rulebook.rule_test import RuleTest, Tested
from router.rulebook.shape import IncludedShape, RulebookShape
from router.rulebook.shape_test import TestFileShape
from router.rulebook.tests import Known, read_tests
from router.rulebook.timing import TimingReader
from router.rulebook.tree import Path, Tree, parse
from router.rulebook.validate import validate
from router.rulebook.watches import WatchReader
from router.rules import Channel, Retry, Rule, Ruleset, Target, Watch

InspectChannel = Callable[[Channel], list[str]]


class Built(msgspec.Struct, frozen=True):
    """What was built: no ruleset where there is an error; `files` are the texts to show.

    `tests` are run by `prove`; then `tested` says what came of them.
    """

    ruleset: Ruleset | None
    problems: list[Problem]
    files: dict[str, str]
    tests: tuple[RuleTest, ...] = ()
    tested: tuple[Tested, ...] = ()


class Draft:
    """A rulebook in the making: what its files say so far, and where."""

    def __init__(self) -> None:
        self.trees: list[Tree] = []
        self.groups: dict[str, list[str]] = {}
        self.rules: list[tuple[Rule, Tree, Path]] = []
        self.channels: dict[str, Channel] = {}
        self.declared: set[str] = set()
        self.known: dict[str, list[Any]] = {}
        self.calendars: dict[str, Calendar] = {}
        self.used_calendars: set[str] = set()
        self.watches: list[Watch] = []
        self.unmatched: list[Rule] = []
        self.beside: list[Tree] = []
        self.tests: list[RuleTest] = []

    @property
    def main(self) -> Tree:
        return self.trees[0]


def build(
    files: Files,
    *,
    environment: Mapping[str, str],
    read_file: Callable[[str], str],
    inspect_channel: InspectChannel,
    outbound: Literal["live", "capture"],
) -> Built:
    """Build a ruleset; all problems at once.

    In capture mode nothing from outside is needed: what is not set is empty.
    """
    lenient = outbound == "capture"
    outside = Environment(environment, read_file, lenient=lenient)
    problems = list(files.problems)
    if files.name not in files.rules:
        return Built(None, problems, dict(files.rules))
    draft, ruleset = _assemble(files, outside)
    hidden = _masked(files, draft)
    if ruleset is not None:
        ruleset = msgspec.structs.replace(ruleset, files=hidden)
        sound = not any(tree.problems for tree in draft.trees)
        problems += check(draft, ruleset, inspect_channel, render=sound)
    for tree in (*draft.trees, *draft.beside):
        problems += tree.problems
    if any(problem.severity == "error" for problem in problems):
        ruleset = None
    tests = tuple(draft.tests) if ruleset is not None else ()
    return Built(ruleset, problems, {**hidden, **files.tests}, tests)


def rebuild(files: Mapping[str, str]) -> Ruleset:
    """Build a ruleset again from the files the ledger kept: its rules and templates.

    What came from outside is not in them, so its channels and sources are not usable.
    """
    templates = _within(files, TEMPLATES)
    others = _within(files, OTHERS)
    apart = {*map(template_file, templates), *map(other_file, others)}
    rules = {name: text for name, text in files.items() if name not in apart}
    name = next(iter(rules), "rules.yaml")
    _, ruleset = _assemble(Files(name, rules, templates, others), Nothing())
    return ruleset or Ruleset(
        hash=_hash(files),
        sources={},
        channels={},
        rules=(),
        templates=templates,
        files=dict(files),
    )


def _assemble(files: Files, outside: Outside) -> tuple[Draft, Ruleset | None]:
    draft = Draft()
    draft.trees = [parse(text, name) for name, text in files.rules.items()]
    main = draft.main if draft.trees else Tree(files.name)
    if not draft.trees:
        return draft, None
    draft.beside = [parse(text, name) for name, text in files.tests.items()]
    shaped = [validate(main, RulebookShape)]
    shaped += [validate(tree, IncludedShape) for tree in draft.trees[1:]]
    shaped += [validate(tree, TestFileShape) for tree in draft.beside]
    if not isinstance(main.data, dict):
        return draft, None
    sources = read_sources(main, outside)
    defaults = main.data.get("defaults")
    defaults = defaults if isinstance(defaults, dict) else {}
    retry = read_retry(main, defaults.get("retry"), ("defaults", "retry"), Retry())
    draft.channels = ChannelReader(main, outside, retry).read()
    declared = main.data.get("channels")
    draft.declared = set(declared) if isinstance(declared, dict) else set()
    known = main.data.get("known")
    draft.known = known if isinstance(known, dict) else {}
    draft.calendars = read_calendars(main, files.others)
    for tree in draft.trees:
        _read_groups(draft, tree)
    for tree in draft.trees:
        _read_rules(draft, tree, defaults)
    for tree in draft.trees:
        _read_watches(draft, tree, sources)
    rules = (*(rule for rule, _, _ in draft.rules), *draft.unmatched)
    known = Known(sources, {r.name: r for r in rules}, draft.declared, draft.calendars)
    draft.tests = read_tests((*draft.trees, *draft.beside), known)
    texts = _texts(files)
    ruleset = Ruleset(
        hash=_hash(texts),
        sources=sources,
        channels=draft.channels,
        rules=rules,
        templates=dict(files.templates),
        files=texts,
        watches=tuple(draft.watches),
    )
    return draft, ruleset if all(shaped) else None


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
    reader = WhenReader(tree)
    timing = TimingReader(tree, draft.calendars)
    usual = _text(defaults.get("calendar"))
    if usual is not None and tree is draft.main:
        timing.calendar(usual, ("defaults", "calendar"), "`defaults`")
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


def _read_watches(draft: Draft, tree: Tree, sources: Mapping[str, Any]) -> None:
    timing = TimingReader(tree, draft.calendars)
    names = {
        "channel_failing": draft.declared,
        "silent_source": list(sources),
        "template_error": [rule.name for rule, _, _ in draft.rules],
    }
    taken = {watch.name for watch in draft.watches} | {rule.name for rule in draft.unmatched}
    reader = WatchReader(tree, timing, WhenReader(tree), lambda given: _targets(draft, given))
    watches, unmatched = reader.read(names, taken)
    draft.watches += watches
    draft.unmatched += unmatched
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
        severity=data.get("severity") or defaults.get("severity"),
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
        template = item.get("template") if isinstance(item, dict) else None
        if isinstance(name, str):
            for channel in draft.groups.get(name, [name]):
                found.setdefault(channel, Target(channel, template))
    return tuple(found.values())


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _hash(texts: Mapping[str, str]) -> str:
    return hashlib.sha256(msgspec.json.encode(sorted(texts.items()))).hexdigest()[:16]


def _texts(files: Files) -> dict[str, str]:
    templates = {template_file(name): text for name, text in files.templates.items()}
    others = {other_file(name): text for name, text in files.others.items()}
    return {**files.rules, **templates, **others}


def _within(files: Mapping[str, str], folder: str) -> dict[str, str]:
    prefix = f"{folder}/"
    return {n.removeprefix(prefix): t for n, t in files.items() if n.startswith(prefix)}


def _masked(files: Files, draft: Draft) -> dict[str, str]:
    """All texts, with the secrets that stand in them written as `***`."""
    texts = _texts(files)
    if draft.trees:
        main = draft.main
        text = texts[main.file]
        spans = {main.spans[path] for path in main.literal_secrets if path in main.spans}
        for start, end in sorted(spans, reverse=True):
            text = f'{text[:start]}"***"{text[end:]}'
        texts[main.file] = text
    return texts
