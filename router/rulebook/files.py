"""The files of a rulebook, read from disk: the one place of the rulebook that touches it."""

from __future__ import annotations

import os
import stat
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
    if not _is_plain(path, problems):
        return Files(_shown(path), {}, {}, problems=tuple(problems))
    text = _read(Path(path), path, problems)
    if text is not None:
        rules[path] = text
        if "include" in text:
            for name in _included(path, text, problems):
                found = _read(Path(name), name, problems) if _is_plain(name, problems) else None
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
        elif not _matching(Path(path).parent, escape(name), problems):
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
        names = [name for name in _matching(folder, pattern, problems) if name != path]
        names = [name for name in names if not name.endswith(TESTS)]  # they are read as tests
        if not names and any(c in pattern for c in "*?["):
            fault = f"no file is like `{pattern}`; nothing is included"
            problems.append(Problem(where, fault, (), "warning"))
        elif not names:
            itself = path in _matching(folder, pattern, problems)
            fault = f"`{pattern}` is this file" if itself else f"there is no file `{pattern}`"
            problems.append(Problem(where, fault))
        found += [name for name in names if name not in found]
    return found


_IN = "name it as it is seen from the folder of this file, without `..`"


def _leads_out(name: str) -> bool:
    """Whether a name leads out of the folder it is looked for in."""
    return PurePath(name).is_absolute() or ".." in PurePath(name).parts


def _matching(folder: Path, pattern: str, problems: list[Problem]) -> list[str]:
    """The files of a folder that are like a pattern, in the order of their names.

    What an editor or a system leaves there for itself begins with a dot, and is only meant where
    it is named.
    """
    try:
        names = sorted(str(file) for file in folder.glob(pattern) if file.is_file())
    except OSError as error:  # what a pattern names must not be dropped for want of a descriptor
        problems.append(_unlisted(folder, error))
        return []
    except (ValueError, NotImplementedError):
        return []  # a pattern that no file can be like
    hidden = PurePath(pattern).name.startswith(".")
    return [name for name in names if hidden or not PurePath(name).name.startswith(".")]


def _tests(rules: Iterable[str], problems: list[Problem]) -> dict[str, str]:
    """The files of tests in the folders of the rules files, in the order of names."""
    found: dict[str, str] = {}
    for folder in dict.fromkeys(Path(name).parent for name in rules):
        for file in _listed(folder, f"*{TESTS}", problems):
            text = _read(file, str(file), problems)
            if text is not None:
                found[str(file)] = text
    return found


def _templates(folder: Path, problems: list[Problem]) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in _listed(folder, "**/*.j2", problems):
        name = file.relative_to(folder).as_posix()
        text = _read(file, template_file(name), problems)
        if text is not None:
            found[name] = text
    return found


def _listed(folder: Path, pattern: str, problems: list[Problem]) -> list[Path]:
    """The files of a folder, in the order of their names, without those that editors, systems and
    orchestrators keep there for themselves."""
    try:
        files = sorted(file for file in folder.glob(pattern) if file.is_file())
    except OSError as error:
        problems.append(_unlisted(folder, error))
        return []
    ours = [file for file in files if not _is_hidden(file.relative_to(folder))]
    return [file for file in ours if _is_plain(str(file), problems)]


def _unlisted(folder: Path, error: OSError) -> Problem:
    fault = f"the folder cannot be read: {(error.strerror or 'unknown').lower()}"
    return Problem(Position(_shown(str(folder)), 1, 1), fault)


def _is_hidden(path: PurePath) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_plain(name: str, problems: list[Problem]) -> bool:
    """Whether a file's name can be written down and shown; it is a problem if not."""
    if name.isprintable():
        return True
    fault = "its name is not UTF-8, or has a character that cannot be shown; rename the file"
    problems.append(Problem(Position(_shown(name), 1, 1), fault))
    return False


def _shown(name: str) -> str:
    """A file's name in characters that can be shown: others as `\\xfc`."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _read(file: Path, name: str, problems: list[Problem]) -> str | None:
    try:
        return _bytes_of(file).decode("utf-8-sig")
    except FileNotFoundError:
        fault = "there is no such file; ROUTER_RULES names the rules file"
    except IsADirectoryError:
        fault = "it is a folder; name the file in it"
    except UnicodeDecodeError:
        fault = "it is not UTF-8 text"
    except _NoText as error:
        fault = str(error)
    except OSError as error:
        fault = f"it cannot be read: {(error.strerror or 'unknown').lower()}"
    problems.append(Problem(Position(name, 1, 1), fault))
    return None


class _NoText(Exception):
    """A file that is not read; the text says why."""


def _bytes_of(file: Path) -> bytes:
    """What a file holds. Of a pipe or a device nothing is asked: it might never answer."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):
            raise _NoText("it is no file, but a pipe, a socket or a device")
        content = opened.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise _NoText("it is larger than 1 MiB")
    return content
