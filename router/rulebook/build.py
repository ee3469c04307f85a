"""Build: files -> ruleset, with every problem on the way. The service and `check` share it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from router.problem import Problem
from router.rulebook.check import check
from router.rulebook.draft import Draft, read_draft
from router.rulebook.files import OTHERS, TEMPLATES, Files, other_file, template_file
from router.rulebook.outside import Environment, Nothing, Outside, Unseen
from router.rulebook.rule_test import Proved, RuleTest
from router.rules import Channel, Ruleset

_LIKE_A_SECRET = re.compile(
    r"""(\b(?:secret|password|token|webhook)["']?[ ]*:[ ]*)((?![^\n]*\$\{)[^\s{\[*][^\n,}]*)"""
)
InspectChannel = Callable[[Channel], list[str]]


class Built(msgspec.Struct, frozen=True):
    """What was built: no ruleset where there is an error; `files` are the texts to show.

    `tests` are run by `prove`; then `tested` says what came of them. `untested` is the ruleset if
    nothing but its tests is wrong: it is not to be put in force, and can be asked what it says.
    """

    ruleset: Ruleset | None
    problems: list[Problem]
    files: dict[str, str]
    tests: tuple[RuleTest, ...] = ()
    tested: tuple[Proved, ...] = ()
    untested: Ruleset | None = None


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
    return _build(files, outside, inspect_channel)


def build_unseen(files: Files, *, inspect_channel: InspectChannel) -> Built:
    """The same for those who try rules out: nothing from outside is asked for, and `***` stands
    for a secret that is not shown. The ruleset can say, and never send."""
    return _build(files, Unseen(), inspect_channel)


def _build(files: Files, outside: Outside, inspect_channel: InspectChannel) -> Built:
    problems = list(files.problems)
    if files.name not in files.rules:
        return Built(None, problems, dict(files.rules))
    draft = read_draft(files, outside)
    ruleset = _ruleset(files, draft)
    if ruleset is not None:
        problems += check(draft, ruleset, inspect_channel)
    for tree in (*draft.trees, *draft.beside):
        problems += tree.problems
    errors = [problem for problem in problems if problem.severity == "error"]
    untested = ruleset if all(error in draft.of_tests for error in errors) else None
    if errors:
        ruleset = None
    tests = tuple(draft.tests) if ruleset is not None else ()
    shown = {**_texts(files), **files.tests, files.name: _masked(draft, keep_width=True)}
    return Built(ruleset, problems, shown, tests, untested=untested)


def rebuild(files: Mapping[str, str]) -> Ruleset:
    """Build a ruleset again from the files the ledger kept: its rules and templates.

    What came from outside is not in them, so its channels and sources are not usable.
    """
    templates = _within(files, TEMPLATES)
    others = _within(files, OTHERS)
    apart = {*map(template_file, templates), *map(other_file, others)}
    rules = {name: text for name, text in files.items() if name not in apart}
    name = next(iter(rules), "rules.yaml")
    kept = Files(name, rules, templates, others)
    ruleset = _ruleset(kept, read_draft(kept, Nothing())) if rules else None
    return ruleset or Ruleset(
        hash=_hash(files),
        sources={},
        channels={},
        rules=(),
        templates=templates,
        files=dict(files),
    )


def _ruleset(files: Files, draft: Draft) -> Ruleset | None:
    """What the draft comes to, sound or not; None if its main file is no rules file."""
    if not isinstance(draft.main.data, dict):
        return None
    texts = _texts(files)
    return Ruleset(
        hash=_hash(texts),
        sources=draft.sources,
        channels=draft.channels,
        rules=draft.all_rules,
        templates=dict(files.templates),
        files={**texts, files.name: _masked(draft, keep_width=False)},
        watches=tuple(draft.watches),
    )


def _hash(texts: Mapping[str, str]) -> str:
    return hashlib.sha256(msgspec.json.encode(sorted(texts.items()))).hexdigest()[:16]


def _texts(files: Files) -> dict[str, str]:
    templates = {template_file(name): text for name, text in files.templates.items()}
    others = {other_file(name): text for name, text in files.others.items()}
    return {**files.rules, **templates, **others}


def _within(files: Mapping[str, str], folder: str) -> dict[str, str]:
    prefix = f"{folder}/"
    return {n.removeprefix(prefix): t for n, t in files.items() if n.startswith(prefix)}


def _masked(draft: Draft, *, keep_width: bool) -> str:
    """The main file's text, with the secrets that stand in it written as `***`.

    To be shown it keeps its width, so that what stands after one is where it says it is.
    """
    main = draft.main
    text = main.text
    spans = {main.spans[path] for path in main.literal_secrets if path in main.spans}
    for start, end in sorted(spans, reverse=True):
        stars = re.sub(r"[^\n]", "*", text[start:end]) if keep_width else '"***"'
        text = f"{text[:start]}{stars}{text[end:]}"
    # What cannot be read, or stands where it does not belong, may be one as well.
    return _LIKE_A_SECRET.sub(lambda m: m[1] + "*" * len(m[2]), text) if keep_width else text
