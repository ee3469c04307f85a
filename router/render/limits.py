"""What a template may not do: run long, grow large, or reach beyond its words.

The measure is steps and characters, not a clock, so that a template that is too much is too much
on every machine and every time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any

from jinja2.exceptions import SecurityError

STEPS = 20_000
"""Rounds of loops, calls and filters of one rendering."""
LONGEST = 64 * 1024
"""Characters of any text that a template makes."""
DEEPEST = 40
LARGEST = 2**64


class Budget(threading.local):
    """The steps that the rendering in this thread has left."""

    left = STEPS
    depth = 0

    def start(self) -> None:
        self.left = STEPS
        self.depth = 0

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

    def each(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items of a loop, a step each."""
        for item in items:
            self.spend()
            yield item

    def charged(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A filter that costs a step, and one for each sixteen items or characters it looks at."""

        @wraps(function)
        def charge(*arguments: Any, **named: Any) -> Any:
            sizes = [len(a) for a in arguments[:2] if isinstance(a, str | list | tuple | dict)]
            self.spend(1 + max(sizes, default=0) // 16)
            found = function(*arguments, **named)
            return self.each(found) if isinstance(found, Iterator) else bounded(found)

        return charge


def bounded(value: Any) -> Any:
    """The value, unless it is larger than a template may make it."""
    if isinstance(value, str) and len(value) > LONGEST:
        raise SecurityError(f"the template makes a text of over {LONGEST} characters")
    return value


def operate(operator: str, left: Any, right: Any, usual: Callable[[Any, Any], Any]) -> Any:
    """`left operator right`, for operators that can make much from little."""
    numbers = all(isinstance(side, int | float) for side in (left, right))
    if operator == "**" or (operator in "*%" and not numbers):
        raise SecurityError(
            f"`{operator}` works on numbers only" if operator != "**" else "no `**`"
        )
    if operator == "+" and not numbers and not all(isinstance(s, str) for s in (left, right)):
        raise SecurityError("`+` works on two numbers or two texts; `~` joins anything")
    found = usual(left, right)
    if numbers and isinstance(found, int) and abs(found) > LARGEST:
        raise SecurityError("a number grows too large")
    return bounded(found)
