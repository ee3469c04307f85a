"""Patterns that cannot hang: globs and regular expressions, both through RE2 (linear time)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from router.match.verdict import PatternError

MEMORY = 8 * 1024 * 1024


class Pattern:
    """A compiled pattern. Text that is not valid Unicode is met by none."""

    __slots__ = ("_search",)

    def __init__(self, source: str) -> None:
        options = re2.Options()
        options.log_errors = False
        options.max_mem = MEMORY
        try:
            self._search: Any = re2.compile(source, options=options).search
        except re2.error as error:
            raise PatternError(_in_words(error)) from None
        except UnicodeEncodeError:
            raise PatternError("it holds characters that are no text") from None

    def matches(self, text: str) -> bool:
        try:
            return self._search(text) is not None
        except UnicodeEncodeError:
            return False


@lru_cache(maxsize=4096)
def compile_regex(pattern: str) -> Pattern:
    """Compile a regular expression, to be searched; raises PatternError in words."""
    return Pattern(pattern)


@lru_cache(maxsize=4096)
def compile_glob(pattern: str) -> Pattern:
    """Compile a glob (`*`, `?`, `[abc]`, `[!a]`, backslash), to match whole texts."""
    return Pattern(f"(?s)\\A{_translate(pattern)}\\z")


@lru_cache(maxsize=4096)
def witnesses(glob: str) -> tuple[str, ...]:
    """Texts that stand for all that the glob matches.

    Another glob that matches these matches, but for far-fetched ones, all that this one does: a
    `*` is nothing, one sign, two, or more than any `?` could take; what stands for one sign is a
    sign nobody writes.
    """
    many = "\ue001" * (len(glob) + 60)
    return tuple(_witness(glob, star) for star in ("", "\ue001", "\ue001\ue002", many))


def _witness(glob: str, star: str) -> str:
    parts = []
    at = 0
    while at < len(glob):
        char = glob[at]
        at += 1
        if char == "\\" and at < len(glob):
            parts.append(glob[at])
            at += 1
        elif char == "*":
            parts.append(star)
        elif char == "[" and (end := _end_of_set(glob, at)) is not None:
            parts.append("\ue003")
            at = end + 1
        else:
            parts.append("\ue003" if char == "?" else char)
    return "".join(parts)


def _translate(glob: str) -> str:
    parts = []
    at = 0
    while at < len(glob):
        char = glob[at]
        at += 1
        if char == "*":
            parts.append(".*")
        elif char == "?":
            parts.append(".")
        elif char == "\\" and at < len(glob):
            parts.append(re2.escape(glob[at]))
            at += 1
        elif char == "[" and (end := _end_of_set(glob, at)) is not None:
            parts.append(_set(glob[at:end]))
            at = end + 1
        else:
            parts.append(re2.escape(char))
    return "".join(parts)


def _end_of_set(glob: str, start: int) -> int | None:
    """Where the set that begins here ends; a `]` that comes first belongs to it."""
    first = start + 1 if glob[start : start + 1] in ("!", "^") else start
    end = glob.find("]", first + 1)
    return None if end < 0 else end


def _set(inside: str) -> str:
    negated = inside[0] in "!^"
    chars = inside[1:] if negated else inside
    escaped = "".join(f"\\{char}" if char in "\\]^[&~|" else char for char in chars)
    return f"[{'^' if negated else ''}{escaped}]"


def _in_words(error: Exception) -> str:
    first = error.args[0] if error.args else ""
    text = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
    return text.strip() or "it is no regular expression"
