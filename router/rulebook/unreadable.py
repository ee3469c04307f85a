"""What is told of YAML that cannot be read: where, in which words, and what usually helps."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

TAB = "a tab stands here; YAML indents with spaces"
_BRACES = "a text with braces in it needs quotes here"
_DASH = re.compile(r"[ ]*-(?=[^\s-])")
_JOINED = re.compile(r"[ ]*(?:-[ ]+)*[A-Za-z_][\w-]*:(?=[^\s:/])")
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
    meant = _braces(text, mark.index) if opened else None
    meant = meant or _after_quote(text, mark.index) or _no_space(text, mark.index, words)
    if meant is not None:
        return meant
    if opened or (words == _COLON and error.context_mark is not None):
        mark = error.context_mark  # what was never closed, not where that was noticed
    lines = text.splitlines()
    indent = lines[mark.line][: mark.column + 1] if mark.line < len(lines) else ""
    notes = (_STAR,) if words == _ALIAS else ()
    return Unreadable(mark.line + 1, mark.column + 1, TAB if "\t" in indent else words, notes)


def _at(text: str, start: int, words: str, *notes: str) -> Unreadable:
    line = text.count("\n", 0, start) + 1
    return Unreadable(line, start - text.rfind("\n", 0, start), words, notes)


def _braces(text: str, noticed: int) -> Unreadable | None:
    """A text without quotes that runs into a brace, within braces or brackets."""
    if text[noticed : noticed + 1] != "{":
        return None
    found = _VALUE.search(text, text.rfind("\n", 0, noticed) + 1, noticed)
    return _at(text, found.start(), _BRACES, _quoted(text, found.start())) if found else None


def _after_quote(text: str, noticed: int) -> Unreadable | None:
    """A text in quotes that holds a quote: what follows it belongs to nothing."""
    line = text[text.rfind("\n", 0, noticed) + 1 : noticed]
    quote = line[-1:]
    if quote not in ("'", '"') or not text[noticed : noticed + 1].strip(",]}:# \n"):
        return None
    note = "within '...' a quote is written twice ('')" if quote == "'" else (
        'within "..." a quote is written \\"'
    )  # fmt: skip
    return _at(text, noticed, "a quote ends here, and more follows", note)


def _no_space(text: str, noticed: int, words: str) -> Unreadable | None:
    """`key:value` or `-item`, which YAML takes for text, so that what follows does not fit."""
    if words != _MISPLACED:
        return None
    begins = text.rfind("\n", 0, noticed) + 1
    above = text.rfind("\n", 0, max(0, begins - 1)) + 1
    dash = _DASH.match(text, begins) or _DASH.match(text, above)
    if dash is not None:
        return _at(text, dash.end(), "a space is missing after `-`")
    colon = _JOINED.match(text, above) if begins else None
    return _at(text, colon.end() - 1, "a space is missing after this colon") if colon else None


def _quoted(text: str, start: int) -> str:
    """How the text that begins there is written with quotes."""
    found = re.match(r"[^,{}\n]*(?:\{\{.*?\}\}|\{[^{}\n]*\})", text[start : start + 200])
    return f'write it as "{found[0]}"' if found and '"' not in found[0] else "put it in quotes"


_MISPLACED = "a colon stands where no key can be; check the indentation, or quote the text"
_COLON = "a colon is missing after this key"
_ALIAS = "this alias names nothing"
_STAR = "a text that begins with `*` needs quotes"


def _words(problem: str) -> str:
    if "undefined alias" in problem:
        return _ALIAS
    if "duplicate anchor" in problem:
        return "this anchor stands twice"
    if "mapping values are not allowed" in problem:
        return _MISPLACED
    if any(w in problem for w in ("expected <block end>", "expected key", "'-' indicator")):
        return "the indentation does not fit the lines above"
    if "found unexpected end of stream" in problem:
        return "a quote is not closed"
    if "expected ',' or ']'" in problem or "did not find expected ',' or ']'" in problem:
        return "a list in brackets is not closed, or a comma is missing"
    if "expected ',' or '}'" in problem or "did not find expected ',' or '}'" in problem:
        return "a mapping in braces is not closed, or a comma is missing"
    if "could not find expected ':'" in problem:
        return _COLON
    if "cannot start any token" in problem:
        return "a text cannot begin with this character; put it in quotes"
    return "this is not YAML: " + (problem[:120].lower() or "it cannot be read")
