"""What is told of YAML that cannot be read: where, in which words, and what usually helps."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

TAB = "a tab stands here; YAML indents with spaces"
_BRACES = "a text with braces in it needs quotes here"
_VALUE = re.compile(r"[^\s,:{}\[\]\"'][^,:{}\[\]\"'\n]*\Z")


class Unreadable(NamedTuple):
    """Line and column (from 1), what is wrong there, and what to do."""

    line: int
    column: int
    text: str
    notes: tuple[str, ...] = ()


def unreadable(error: Any, text: str) -> Unreadable:
    """Say a YAML error, with its marks in the text, for the person who wrote it."""
    mark = error.problem_mark or error.context_mark
    words = _words(str(error.problem or ""))
    if mark is None:
        return Unreadable(1, 1, words)
    opened = words.endswith(("is not closed", "is missing")) and error.context_mark is not None
    if opened and (start := _unquoted(text, mark.index)) is not None:
        line = text.count("\n", 0, start) + 1
        column = start - text.rfind("\n", 0, start)
        return Unreadable(line, column, _BRACES, (_quoted(text, start),))
    if opened:
        mark = error.context_mark  # what was never closed, not where that was noticed
    lines = text.splitlines()
    indent = lines[mark.line][: mark.column + 1] if mark.line < len(lines) else ""
    notes = (_STAR,) if words == _ALIAS else ()
    return Unreadable(mark.line + 1, mark.column + 1, TAB if "\t" in indent else words, notes)


def _unquoted(text: str, noticed: int) -> int | None:
    """Where a text without quotes begins that runs into a brace, within braces or brackets."""
    if text[noticed : noticed + 1] != "{":
        return None
    found = _VALUE.search(text, text.rfind("\n", 0, noticed) + 1, noticed)
    return found.start() if found else None


def _quoted(text: str, start: int) -> str:
    """How the text that begins there is written with quotes."""
    found = re.match(r"[^,{}\n]*(?:\{\{.*?\}\}|\{[^{}\n]*\})", text[start : start + 200])
    return f'write it as "{found[0]}"' if found and '"' not in found[0] else "put it in quotes"


_ALIAS = "this alias names nothing"
_STAR = "a text that begins with `*` needs quotes"


def _words(problem: str) -> str:
    if "undefined alias" in problem:
        return _ALIAS
    if "duplicate anchor" in problem:
        return "this anchor stands twice"
    if "mapping values are not allowed" in problem:
        return "a colon stands where no key can be; check the indentation, or quote the text"
    if any(w in problem for w in ("expected <block end>", "expected key", "'-' indicator")):
        return "the indentation does not fit the lines above"
    if "found unexpected end of stream" in problem:
        return "a quote is not closed"
    if "expected ',' or ']'" in problem or "did not find expected ',' or ']'" in problem:
        return "a list in brackets is not closed, or a comma is missing"
    if "expected ',' or '}'" in problem or "did not find expected ',' or '}'" in problem:
        return "a mapping in braces is not closed, or a comma is missing"
    if "could not find expected ':'" in problem:
        return "a colon is missing after this key"
    if "cannot start any token" in problem:
        return "a text cannot begin with this character; put it in quotes"
    return "this is not YAML: " + (problem[:120].lower() or "it cannot be read")
