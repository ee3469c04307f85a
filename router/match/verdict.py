"""The answers of matching, each with its reason."""

from __future__ import annotations

from typing import Literal

import msgspec


class PatternError(ValueError):
    """A pattern that is none; the text says what is wrong with it."""


class ExpressionError(ValueError):
    """An `if:` expression that failed for an event; the text says how, without the event's data."""


class Check(msgspec.Struct, frozen=True):
    """One line of a condition, as it was looked at."""

    field: str
    expected: str
    actual: str
    holds: bool
    reason: str


class Verdict(msgspec.Struct, frozen=True):
    """A condition's answer for one event; `reason` is one sentence for people.

    `misses` counts the lines that would have to be otherwise for a match: 1 is a near miss.
    """

    answer: Literal["match", "no match", "error"]
    reason: str
    checks: tuple[Check, ...] = ()
    misses: int = 0
