"""The files of a rulebook, read from disk: the one place of the rulebook that touches it."""

from __future__ import annotations

from glob import escape
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import msgspec

from router.problem import Position, Problem
from router.rulebook.calendars import holiday_files
from router.rulebook.tree import LARGEST, parse

if TYPE_CHECKING:
    from collections.abc import Iterable

TEMPLATES = "templates"
TESTS = ".test.yaml"
OTHERS = "files"


class Files(msgspec.Struct, frozen=True):
    """What was read: texts by name (the rules file first), templates, and what could not be.

    `others` are the files that the rules name for their holidays, as they name them. `tests` are
    the files of tests beside the rules; they prove the ruleset, and are no part of it.
    """

    name: str
    rules: dict[str, str]
    templates: dict[str, str]
    others: dict[str, str] = {}
    tests: dict[str, str] = {}
    problems: tuple[Problem, ...] = ()


def read_files(path: str, templates: str | None = None) -> Files:
    """Read a rules file, the files it includes, and the templates and tests beside them.

    Names are as the user wrote them. What cannot be read is a problem.
    """
    problems: list[Problem] = []
    rules: dict[str, str] = {}
    text = _read(Path(path), path, problems)
    if text is not None:
        rules[path] = text
        if "include" in text:
            for name in _included(path, text, problems):
                found = _read(Path(name), name, problems)
                if found is not None:
                    rules[name] = found
    others = _others(path, text, problems) if text and "holidays" in text else {}
    folder = Path(templates) if templates is not None else Path(path).parent / TEMPLATES
    if templates is not None and not folder.is_dir():
        fault = f"ROUTER_TEMPLATES: there is no folder `{templates}`"
        problems.append(Problem(Position(path, 1, 1), fault))
    tests = _tests(rules, problems)
    return Files(path, rules, _templates(folder, problems), others, tests, tuple(problems))


def template_file(name: str) -> str:
    """How a template's file is named in problems and in the ledger."""
    return f"{TEMPLATES}/{name}"


def other_file(name: str) -> str:
    """How a file that the rules name is named in the ledger."""
    return f"{OTHERS}/{name}"


def _others(path: str, text: str, problems: list[Problem]) -> dict[str, str]:
    tree = parse(text, path)
    found: dict[str, str] = {}
    for where, name in holiday_files(tree.data):
        file = Path(path).parent / name
        if _leads_out(name):
            problems.append(Problem(tree.value(where), f"`{name}` is not beside this file", (_IN,)))
        elif not _matching(Path(path).parent, escape(name)):
            fault = f"there is no file `{name}`; it is looked for beside this one"
            problems.append(Problem(tree.value(where), fault))
        elif (read := _read(file, name, problems)) is not None:
            found[name] = read
    return found


def _included(path: str, text: str, problems: list[Problem]) -> list[str]:
    tree = parse(text, path)
    given = tree.data.get("include") if isinstance(tree.data, dict) else None
    folder = Path(path).parent
    found: list[str] = []
    for number, pattern in enumerate(given if isinstance(given, list) else []):
        where = tree.value(("include", number))
        if not isinstance(pattern, str) or not pattern:
            continue  # the shape's check tells it
        if _leads_out(pattern):
            problems.append(Problem(where, f"`{pattern}` is not beside this file", (_IN,)))
            continue
        names = [name for name in _matching(folder, pattern) if name != path]
        names = [name for name in names if not name.endswith(TESTS)]  # they are read as tests
        if not names and any(c in pattern for c in "*?["):
            fault = f"no file is like `{pattern}`; nothing is included"
            problems.append(Problem(where, fault, (), "warning"))
        elif not names:
            itself = path in _matching(folder, pattern)
            fault = f"`{pattern}` is this file" if itself else f"there is no file `{pattern}`"
            problems.append(Problem(where, fault))
        found += [name for name in names if name not in found]
    return found


_IN = "name it as it is seen from the folder of this file, without `..`"


def _leads_out(name: str) -> bool:
    """Whether a name leads out of the folder it is looked for in."""
    return PurePath(name).is_absolute() or ".." in PurePath(name).parts


def _matching(folder: Path, pattern: str) -> list[str]:
    """The files of a folder that are like a pattern, in the order of their names."""
    try:
        return sorted(str(one) for one in folder.glob(pattern) if one.is_file())
    except (ValueError, OSError, NotImplementedError):
        return []  # a pattern that no file can be like


def _tests(rules: Iterable[str], problems: list[Problem]) -> dict[str, str]:
    """The files of tests in the folders of the rules files, in the order of names."""
    found: dict[str, str] = {}
    for folder in dict.fromkeys(Path(name).parent for name in rules):
        for file in sorted(folder.glob(f"*{TESTS}")):
            text = _read(file, str(file), problems)
            if text is not None:
                found[str(file)] = text
    return found


def _templates(folder: Path, problems: list[Problem]) -> dict[str, str]:
    found: dict[str, str] = {}
    if not folder.is_dir():
        return found
    for file in sorted(folder.rglob("*.j2")):
        name = file.relative_to(folder).as_posix()
        text = _read(file, template_file(name), problems)
        if text is not None:
            found[name] = text
    return found


def _read(file: Path, name: str, problems: list[Problem]) -> str | None:
    try:
        if file.is_file() and file.stat().st_size > LARGEST:
            fault = "it is larger than 1 MiB"
        else:
            return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        fault = "there is no such file; ROUTER_RULES names the rules file"
    except IsADirectoryError:
        fault = "it is a folder; name the file in it"
    except UnicodeDecodeError:
        fault = "it is not UTF-8 text"
    except OSError as error:
        fault = f"it cannot be read: {(error.strerror or 'unknown').lower()}"
    problems.append(Problem(Position(name, 1, 1), fault))
    return None
