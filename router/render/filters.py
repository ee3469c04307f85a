"""Filters of our own, and those of Jinja's that can make much from little, within bounds."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Undefined, pass_environment
from jinja2.exceptions import FilterArgumentError, SecurityError
from jinja2.filters import make_attrgetter

from router.render.escape import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jinja2 import Environment

_SHORT = frozenset({"kyc", "aml", "cdd", "edd", "pep", "id", "crs", "fatca", "sow"})
_DATE = re.compile(r"(?:%-?[aAbBdeHIjmMpSyYZz%]|[^%])*")
DIGITS = 15
"""Digits that a number is rounded to: a float has no more."""


def humanize(value: Any) -> str:
    """A key for readers: `in_review` is `In review`, `kyc_x` is `KYC x`; null is nothing."""
    words = clean(value).replace("_", " ").split()
    text = " ".join(word.upper() if word in _SHORT else word for word in words)
    return text[:1].upper() + text[1:]


def date(value: Any, form: str = "%d.%m.%Y %H:%M", timezone: str = "UTC") -> str:
    """A moment in a form (`%Y-%m-%d`) and a time zone (`Europe/Zurich`)."""
    if not isinstance(value, datetime):
        raise FilterArgumentError("`date` shapes a moment, like `received_at`")
    if len(form) > 100 or not _DATE.fullmatch(form):
        raise FilterArgumentError(f"`{form[:100]}` is no form of a date")
    try:
        return value.astimezone(ZoneInfo(timezone)).strftime(form)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FilterArgumentError(f"`{str(timezone)[:100]}` is no time zone") from None


def default(value: Any, instead: Any = "", *_: Any) -> Any:
    """The value, or something else where it is not there or null (which it often is)."""
    return instead if value is None or isinstance(value, Undefined) else value


def replace(value: Any, old: str, new: str) -> str:
    """A text with each `old` in it written as `new`."""
    if len(str(old)) == 0:
        raise SecurityError("`replace` needs a text to look for")
    text, old, new = clean_text(value), str(old), str(new)
    if len(text) + text.count(old) * len(new) > 2**20:
        raise SecurityError("`replace` would make too long a text")
    return text.replace(old, new)


def round_number(
    value: Any, precision: int = 0, method: Literal["common", "ceil", "floor"] = "common"
) -> float:
    """A number rounded to so many digits, as Jinja's `round` does it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FilterArgumentError("`round` rounds a number")
    if method not in ("common", "ceil", "floor"):
        raise FilterArgumentError("`round` knows `common`, `ceil` and `floor`")
    if abs(precision) > DIGITS:
        raise FilterArgumentError(f"`round` rounds to {DIGITS} digits at most")
    if method == "common":
        return round(float(value), precision)
    return float(getattr(math, method)(value * 10**precision) / 10**precision)


@pass_environment
def add_up(
    environment: Environment,
    items: Iterable[Any],
    attribute: str | int | None = None,
    start: float = 0,
) -> float:
    """The sum of numbers, or of an attribute of each item."""
    value_of = make_attrgetter(environment, attribute) if attribute is not None else None
    total = start
    for item in items:
        value = value_of(item) if value_of is not None else item
        if not isinstance(value, int | float) or not isinstance(total, int | float):
            raise FilterArgumentError("`sum` adds numbers")
        total += value
    return total


def clean_text(value: Any) -> str:
    """A value as text; a text (also one made safe already) as it is."""
    return value if isinstance(value, str) else str(value)
