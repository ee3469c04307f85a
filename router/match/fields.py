"""Finding a field's value in an event, and meeting a test with it: the truth, without reasons.

A dotted path walks into objects, and through an array into each of its elements; a field whose
whole name holds the dot comes first. What is not there is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.condition import (
    Absent,
    Compare,
    Contains,
    Equals,
    Every,
    Glob,
    NoElement,
    NotTest,
    OneOf,
    Regex,
    Test,
    Together,
)
from router.match.pattern import compile_glob, compile_regex

if TYPE_CHECKING:
    from collections.abc import Mapping


def find(fields: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path; an array in the way gives the array of what is found in it."""
    if path in fields:
        return fields[path]
    if "." not in path:
        return None
    return _walk(fields, path.split("."))


def meets(value: Any, test: Test) -> bool:
    """Whether a field with this value meets the test.

    For an array, a plain test asks whether any element meets it; `Together` wants one element
    that meets all. `Absent` and `NotTest` look at the field as a whole. Inside `Every` and
    `NoElement` each element stands for a field of its own.
    """
    match test:
        case Absent():
            return value is None
        case NotTest(test=inner):
            return not meets(value, inner)
        case OneOf(tests=tests):
            return any(meets(value, inner) for inner in tests)
        case Together(tests=tests):
            elements = value if isinstance(value, list) else [value]
            return any(all(meets(element, inner) for inner in tests) for element in elements)
        case Every(test=inner):
            elements = value if isinstance(value, list) else [value]
            return value is not None and all(_element_meets(e, inner) for e in elements)
        case NoElement(test=inner):
            elements = value if isinstance(value, list) else [value]
            return value is None or not any(_element_meets(e, inner) for e in elements)
        case _:
            elements = value if isinstance(value, list) else [value]
            return any(_is(element, test) for element in elements)


def _element_meets(element: Any, test: Test) -> bool:
    # An array inside an array is one value, and no plain test is met by it.
    return meets((element,) if isinstance(element, list) else element, test)


def _is(value: Any, test: Test) -> bool:
    match test:
        case Equals(value=wanted):
            if isinstance(value, bool) or isinstance(wanted, bool):
                return value is wanted
            return isinstance(value, str | int | float) and value == wanted
        case Glob(pattern=pattern):
            return isinstance(value, str) and compile_glob(pattern).matches(value)
        case Regex(pattern=pattern):
            return isinstance(value, str) and compile_regex(pattern).matches(value)
        case Compare(operator=operator, number=number):
            if isinstance(value, bool) or not isinstance(value, int | float):
                return False
            return _compares(value, operator, number)
        case Contains(text=text):
            return isinstance(value, str) and text.casefold() in value.casefold()
        case _:
            raise AssertionError(test)


def _compares(value: float, operator: str, number: float) -> bool:
    match operator:
        case "gt":
            return value > number
        case "gte":
            return value >= number
        case "lt":
            return value < number
        case _:
            return value <= number


def _walk(value: Any, names: list[str]) -> Any:
    for at, name in enumerate(names):
        if isinstance(value, list):
            found = []
            for element in value:
                inner = _walk(element, names[at:])
                found.extend(inner if isinstance(inner, list) else [inner])
            found = [inner for inner in found if inner is not None]
            return found or None
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
