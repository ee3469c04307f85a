"""Build: files -> ruleset, with every problem on the way. The service and `check` share it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from router.problem import Problem
from router.rulebook.channels import ChannelReader, read_retry, read_sources
from router.rulebook.check import check
from router.rulebook.conditions import WhenReader
from router.rulebook.files import TEMPLATES, Files, template_file
from router.rulebook.outside import Environment, Nothing, Outside
from router.rulebook.shape import IncludedShape, RulebookShape
from router.rulebook.tree import Path, Tree, parse
from router.rulebook.validate import validate
from router.rules import Channel, Retry, Rule, Ruleset, Target

InspectChannel = Callable[[Channel], list[str]]


class Built(msgspec.Struct, frozen=True):
    """What was built: no ruleset where there is an error; `files` are the texts to show."""

    ruleset: Ruleset | None
    problems: list[Problem]
    files: dict[str, str]


class Draft:
    """A rulebook in the making: what its files say so far, and where."""

    def __init__(self) -> None:
        self.trees: list[Tree] = []
        self.groups: dict[str, list[str]] = {}
        self.rules: list[tuple[Rule, Tree, Path]] = []
        self.channels: dict[str, Channel] = {}
        self.declared: set[str] = set()
        self.known: dict[str, list[Any]] = {}

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
    for tree in draft.trees:
        problems += tree.problems
    if any(problem.severity == "error" for problem in problems):
        ruleset = None
    return Built(ruleset, problems, hidden)


def rebuild(files: Mapping[str, str]) -> Ruleset:
    """Build a ruleset again from the files the ledger kept: its rules and templates.

    What came from outside is not in them, so its channels and sources are not usable.
    """
    prefix = f"{TEMPLATES}/"
    rules = {name: text for name, text in files.items() if not name.startswith(prefix)}
    templates = {
        name.removeprefix(prefix): text for name, text in files.items() if name.startswith(prefix)
    }
    name = next(iter(rules), "rules.yaml")
    _, ruleset = _assemble(Files(name, rules, templates), Nothing())
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
    shaped = [validate(main, RulebookShape, "file")]
    shaped += [validate(tree, IncludedShape, "file") for tree in draft.trees[1:]]
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
    for tree in draft.trees:
        _read_groups(draft, tree)
    for tree in draft.trees:
        _read_rules(draft, tree, defaults)
    texts = {**files.rules, **{template_file(n): t for n, t in files.templates.items()}}
    ruleset = Ruleset(
        hash=_hash(texts),
        sources=sources,
        channels=draft.channels,
        rules=tuple(rule for rule, _, _ in draft.rules),
        templates=dict(files.templates),
        files=texts,
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
    for number, data in enumerate(given if isinstance(given, list) else []):
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            continue  # the shape's check has told it
        path: Path = ("rules", number)
        rule = _rule(draft, tree, path, data, defaults, reader)
        if any(rule.name == other.name for other, _, _ in draft.rules):
            first = next(t.value(p) for o, t, p in draft.rules if o.name == rule.name)
            note = f"the other stands in {first.file}, line {first.line}"
            where = tree.value((*path, "name"))
            tree.tell(where, f"two rules are named `{rule.name}`", note)
            continue
        draft.rules.append((rule, tree, path))


def _rule(
    draft: Draft,
    tree: Tree,
    path: Path,
    data: Mapping[str, Any],
    defaults: Mapping[str, Any],
    reader: WhenReader,
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
    says = any(data.get(key) is not None for key in ("template", "title", "body"))
    return Rule(
        name=name,
        when=when,
        targets=_targets(draft, data, defaults),
        template=_text(data.get("template")) or (None if says else _text(defaults.get("template"))),
        title=_text(data.get("title")),
        body=_text(data.get("body")),
        severity=data.get("severity") or defaults.get("severity"),
        stop=data.get("stop") is True,
        enabled=data.get("enabled") is not False,
        position=tree.value((*path, "name")),
    )


def _targets(
    draft: Draft, data: Mapping[str, Any], defaults: Mapping[str, Any]
) -> tuple[Target, ...]:
    """Who is told: groups are their channels, and a channel is told once."""
    given = data.get("notify") if data.get("notify") is not None else defaults.get("notify")
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


def _masked(files: Files, draft: Draft) -> dict[str, str]:
    """All texts, with the secrets that stand in them written as `***`."""
    texts = {**files.rules, **{template_file(n): t for n, t in files.templates.items()}}
    if draft.trees:
        main = draft.main
        text = texts[main.file]
        spans = {main.spans[path] for path in main.literal_secrets if path in main.spans}
        for start, end in sorted(spans, reverse=True):
            text = f'{text[:start]}"***"{text[end:]}'
        texts[main.file] = text
    return texts
