"""What two patterns have to do with each other: one within the other, or nothing in common."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from router.condition import Contains, Glob
from router.match import compile_glob, witnesses

if TYPE_CHECKING:
    from router.condition import Test


@lru_cache(maxsize=4096)
def implies(one: Test, two: Test) -> bool:
    """Whether every text that matches the one surely matches the two."""
    if isinstance(one, Glob) and isinstance(two, Glob):
        pattern = compile_glob(two.pattern)
        return all(pattern.matches(text) for text in witnesses(one.pattern))
    if isinstance(two, Glob) and not two.pattern.strip("*"):
        return True
    if isinstance(one, Contains) and isinstance(two, Contains):
        return two.text.casefold() in one.text.casefold()
    if isinstance(one, Glob) and isinstance(two, Contains):
        wanted = two.text.casefold()
        return all(wanted in text.casefold() for text in witnesses(one.pattern))
    return False


@lru_cache(maxsize=4096)
def disjoint(one: Test, two: Test) -> bool:
    """Whether surely no text matches both: they begin or end differently."""
    if not isinstance(one, Glob) or not isinstance(two, Glob):
        return False
    return _differ(_begin(one.pattern), _begin(two.pattern)) or _differ(
        _end(one.pattern), _end(two.pattern)
    )


def _differ(one: str, two: str) -> bool:
    return not one.startswith(two) and not two.startswith(one)


def _begin(pattern: str) -> str:
    """The plain text a pattern begins with."""
    if "\\" in pattern:
        return ""
    at = min((pattern.find(char) for char in "*?[" if char in pattern), default=len(pattern))
    return pattern[:at]


def _end(pattern: str) -> str:
    """The plain text a pattern ends with, backwards."""
    if "\\" in pattern:
        return ""
    at = max(pattern.rfind(char) for char in "*?]")
    return pattern[:at:-1]
