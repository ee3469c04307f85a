"""What a template may not do: run long, grow large, or reach beyond its words.

The measure is steps and sizes, not a clock, so that a template that is too much is too much on
every machine and every time. Whatever a template makes, compares, prints or gives to a filter is
weighed first, in full: a list that holds the same list twice weighs twice as much.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, ValuesView
from functools import wraps
from typing import Any

from jinja2.exceptions import SecurityError

STEPS = 20_000
"""Rounds of loops, calls and filters of one rendering."""
LONGEST = 64 * 1024
"""Characters of any text that a template makes, and the largest number that it gives a filter."""
HEAVIEST = 2**20
"""Characters and items of any value that a template looks at."""
PRINTED = 4 * LONGEST
"""Characters that a template prints, those inside of macros and blocks that it prints again
included."""
DEEPEST = 40
LARGEST = 2**64

_CONTAINERS: tuple[type, ...] = (dict, list, tuple, set, frozenset, ItemsView, KeysView, ValuesView)


class Budget(threading.local):
    """What the rendering in this thread may still take."""

    left = STEPS
    depth = 0
    printable = PRINTED

    def start(self) -> None:
        self.left = STEPS
        self.depth = 0
        self.printable = PRINTED

    def spend(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise SecurityError(f"the template does too much (over {STEPS} steps)")

    def enter(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise SecurityError(f"the template calls itself too deeply (over {DEEPEST} times)")

    def leave(self) -> None:
        self.depth -= 1

    def weigh(self, value: Any) -> Any:
        """The value, once its weight is paid for: a step for each sixteen characters or items."""
        weight = weight_of(value)
        if weight >= 16:
            self.spend(weight // 16)
        return value

    def each(self, items: Iterable[Any], steps: int = 1) -> Iterator[Any]:
        """The items of a loop, for so many steps each."""
        for item in items:
            self.spend(steps)
            yield item

    def printed(self, text: str) -> None:
        """Count a text that is printed."""
        self.printable -= len(text)
        if self.printable < 0:
            raise SecurityError(f"the template prints over {PRINTED} characters")

    def charged(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A filter or test that costs a step, and the weight of what it is given."""

        @wraps(function)
        def charge(*arguments: Any, **named: Any) -> Any:
            self.spend()
            for argument in (*arguments, *named.values()):
                self.weigh(argument)
            for argument in (*arguments[1:], *named.values()):
                sensible(argument)
            made = function(*arguments, **named)
            return self._weighed(made) if isinstance(made, Iterator) else bounded(made)

        return charge

    def _weighed(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self.spend()
            yield self.weigh(bounded(item))


def weight_of(value: Any) -> int:
    """The characters and items of a value, counted in full; SecurityError beyond HEAVIEST."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, int):
        return value.bit_length() // 4
    if not isinstance(value, _CONTAINERS):
        return 0
    weight = 0
    waiting: list[Any] = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            weight += len(part)
        elif isinstance(part, dict):
            weight += len(part)
            waiting.extend(part.values())
            weight += sum(len(key) for key in part if isinstance(key, str))
        elif isinstance(part, _CONTAINERS):
            items: Any = part
            weight += len(items)
            waiting.extend(items)
        else:
            weight += 1
        if weight > HEAVIEST or len(waiting) > HEAVIEST:
            raise SecurityError(f"a value is too large (over {HEAVIEST} characters or items)")
    return weight


def bounded(value: Any) -> Any:
    """The value, unless it is larger than a template may make it."""
    if isinstance(value, str):
        if len(value) > LONGEST:
            raise SecurityError(f"the template makes a text of over {LONGEST} characters")
    elif isinstance(value, int):
        _sized(value)
    else:
        weight_of(value)
    return value


def sensible(argument: Any) -> None:
    """Refuse a number that no filter could want: a length, a count, a number of digits."""
    if isinstance(argument, float) and not math.isfinite(argument):
        raise SecurityError("a filter is given a number that is no number")
    if isinstance(argument, int | float) and abs(argument) > LONGEST:
        raise SecurityError(f"a filter is given a number over {LONGEST}")


def operate(operator: str, left: Any, right: Any, usual: Callable[[Any, Any], Any]) -> Any:
    """`left operator right`, for operators that can make much from little."""
    numbers = all(isinstance(side, int | float) for side in (left, right))
    if operator == "**" or (operator in ("*", "%") and not numbers):
        raise SecurityError(
            f"`{operator}` works on numbers only" if operator != "**" else "no `**`"
        )
    if operator == "+" and not numbers and not all(isinstance(s, str) for s in (left, right)):
        raise SecurityError("`+` works on two numbers or two texts; `~` joins anything")
    for side in (left, right):
        if isinstance(side, int):
            _sized(side)
    return bounded(usual(left, right))


def _sized(number: int) -> None:
    if abs(number) > LARGEST:
        raise SecurityError("a number grows too large")
