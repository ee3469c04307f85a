"""Edited files: those of a ruleset with some of their texts replaced. Nothing is read from disk."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import TYPE_CHECKING

import msgspec

from router.problem import Position, Problem
from router.rulebook.calendars import holiday_files
from router.rulebook.files import template_file
from router.rulebook.tree import LARGEST, Tree, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.rulebook.files import Files

_ONLY = "only the files of the rules in force are at hand here"


def texts_of(files: Files) -> dict[str, str]:
    """The texts that can be edited, by the name that problems call them."""
    templates = {template_file(name): text for name, text in files.templates.items()}
    return {**files.rules, **files.tests, **templates}


def edited(files: Files, edits: Mapping[str, str]) -> Files:
    """The files with other texts, by the names of `texts_of`; other names are not looked at.

    What the main file includes now is taken from those at hand; what is not is a problem.
    """
    rules = {name: edits.get(name, text) for name, text in files.rules.items()}
    main = rules.get(files.name, "")
    problems = [_too_large(name) for name, text in rules.items() if len(text) > LARGEST]
    if not problems and ("include" in main or len(rules) > 1 or "holidays" in main):
        tree = parse(main, files.name)
        if isinstance(tree.data, dict):  # otherwise it is told, and nothing else matters
            found, told = _included(tree, files)
            rules = {name: text for name, text in rules.items() if name in (files.name, *found)}
            problems += [*told, *_holidays(tree, files)]
    return msgspec.structs.replace(
        files,
        rules=rules,
        templates={n: edits.get(template_file(n), t) for n, t in files.templates.items()},
        tests={n: edits.get(n, t) for n, t in files.tests.items()},
        problems=tuple(problems),
    )


def _too_large(name: str) -> Problem:
    return Problem(Position(name, 1, 1), "it is larger than 1 MiB")


def _included(tree: Tree, files: Files) -> tuple[list[str], list[Problem]]:
    given = tree.data.get("include")
    folder = PurePath(files.name).parent
    found: list[str] = []
    problems = []
    for number, pattern in enumerate(given if isinstance(given, list) else []):
        if not isinstance(pattern, str) or not pattern:
            continue  # the shape's check tells it
        wanted = folder / pattern
        names = [name for name in files.rules if name != files.name and _like(name, wanted)]
        found += names
        if not names:
            where = tree.value(("include", number))
            told = f"no file like `{pattern}` is at hand; nothing is included"
            problems.append(Problem(where, told, (_ONLY,), "warning"))
    return found, problems


def _holidays(tree: Tree, files: Files) -> Iterator[Problem]:
    for where, name in holiday_files(tree.data):
        if name not in files.others:
            told = f"the file `{name}` is not at hand; its holidays are left out"
            yield Problem(tree.value(where), told, (_ONLY,), "warning")


def _like(name: str, pattern: PurePath) -> bool:
    parts, wanted = PurePath(name).parts, pattern.parts
    if "**" in wanted:
        return fnmatchcase(name, str(pattern).replace("**/", "*"))
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
