"""A problem: one thing wrong in a file, told to the person who can fix it."""

from __future__ import annotations

import difflib
from itertools import groupby
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Position(msgspec.Struct, frozen=True):
    """Where something stands in a file: line and column count from 1, length in characters."""

    file: str
    line: int
    column: int
    length: int = 1


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong: where, what, and what to do about it (`notes`, one line each).

    A warning does not keep a file from being used; an error does.
    """

    position: Position
    text: str
    notes: tuple[str, ...] = ()
    severity: Literal["error", "warning"] = "error"


def closest(word: str, known: Iterable[str], likeness: float | None = None) -> str | None:
    """Return the known word that `word` was probably meant to be, or None if none is close.

    `likeness` from 0 to 1 is what counts as close, if it is another than usual.
    """
    cutoff = likeness or (0.66 if len(word) <= 3 else 0.74)
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return found[0] if found else None


def suggest(word: str, known: Iterable[str], nothing: str = "none is defined") -> str:
    """Return a note: a guess when one is close, otherwise the list of what is known."""
    names = sorted(known)
    guess = closest(word, names)
    if guess is not None:
        return f"did you mean `{guess}`?"
    if not names:
        return nothing
    shown = ", ".join(names[:12])
    return f"known: {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sort problems as a reader meets them, each told once."""
    unique = dict.fromkeys(problems)
    return sorted(unique, key=lambda p: (p.position.file, p.position.line, p.position.column))


def show(problem: Problem, text: str | None = None) -> str:
    """Write one problem for a terminal, with the reader's own line if the text is given."""
    where = problem.position
    word = "warning: " if problem.severity == "warning" else ""
    lines = [f"{where.file}:{where.line}:{where.column}: {word}{problem.text}"]
    source = (text or "").splitlines()
    margin = " " * (len(str(where.line)) + 2)
    if 0 < where.line <= len(source) and source[where.line - 1].strip():
        line = source[where.line - 1].replace("\t", " ")
        length = max(1, min(where.length, len(line) - where.column + 1))
        lines.append(f"{margin}|")
        lines.append(f" {where.line} | {line}")
        lines.append(f"{margin}| {' ' * (where.column - 1)}{'^' * length}")
    lines.extend(f"{margin}= {note}" for note in problem.notes)
    return "\n".join(lines)


def report(problems: Sequence[Problem], files: Mapping[str, str], name: str, verdict: str) -> str:
    """Write all problems, sorted, and a last line that counts them and says what follows."""
    parts = [show(p, files.get(p.position.file)) for p in in_order(problems)]
    return "\n\n".join([*parts, f"{count(problems)} in {name}; {verdict}"])


def in_parts(text: str) -> list[tuple[bool, str]]:
    """Take apart what `show` or `report` wrote: words, and what quotes the reader's own lines.

    Together the parts are the text; each says whether it is a quotation.
    """
    lines = text.splitlines(keepends=True)
    return [(quotes, "".join(some)) for quotes, some in groupby(lines, _quotes)]


def _quotes(line: str) -> bool:
    return line.startswith(" ") and line.lstrip(" 0123456789").startswith("|")


def count(problems: Sequence[Problem]) -> str:
    """Say how many problems and warnings there are."""
    errors = sum(p.severity == "error" for p in problems)
    warnings = len(problems) - errors
    words = []
    if errors:
        words.append(f"{errors} problem{'s' * (errors != 1)}")
    if warnings:
        words.append(f"{warnings} warning{'s' * (warnings != 1)}")
    return " and ".join(words) or "no problems"
