"""The index: which of many conditions hold for an event, at a cost that follows the answer.

For each field that any rule tests there is a table from a value to a bitmask of the rules that
this value satisfies (a rule that does not test the field is in every mask). Matching is an AND
over the fields. A value is resolved when it first comes, and remembered, within a bound. What is
not a plain line (`any`, `not`, `if`) is asked only of the rules that are left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from router.condition import (
    Absent,
    AllOf,
    Always,
    Condition,
    Equals,
    Field,
    Glob,
    NotTest,
    OneOf,
    Test,
)
from router.match.evaluate import asks_expression, holds, plain_first
from router.match.fields import find, meets
from router.match.verdict import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from router.match.evaluate import Expressions

REMEMBERED = 4096
"""Values of one field that are remembered."""
LONGEST = 256
DENSE = 512

_BITS = [tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256)]


class Matches(msgspec.Struct, frozen=True):
    """The numbers of the conditions that hold, rising, and those that failed, with how."""

    rules: list[int]
    errors: dict[int, str]


class Index:
    """Many conditions, compiled once; `None` stands for one that never holds here."""

    def __init__(self, conditions: Sequence[Condition | None], expressions: Expressions) -> None:
        self._expressions = expressions
        self._residues: dict[int, list[Condition]] = {}
        by_field: dict[str, dict[int, list[Test]]] = {}
        alive = bytearray((len(conditions) + 7) // 8)
        for number, condition in enumerate(conditions):
            if condition is None:
                continue
            alive[number >> 3] |= 1 << (number & 7)
            for part in _lines(condition):
                if isinstance(part, Field):
                    by_field.setdefault(part.path, {}).setdefault(number, []).append(part.test)
                else:
                    self._residues.setdefault(number, []).append(part)
        self._alive = int.from_bytes(alive, "little")
        columns = [_Column(path, tests, len(conditions)) for path, tests in by_field.items()]
        # The field that leaves the fewest rules comes first.
        self._columns = sorted(columns, key=lambda column: column.untested.bit_count())
        self._residue_mask = _mask(self._residues, len(conditions))

    def match(self, fields: Mapping[str, Any]) -> Matches:
        """Return which conditions hold for these fields; never raises for any of them."""
        left = self._alive
        for column in self._columns:
            left &= column.mask(fields)
            if not left:
                return Matches([], {})
        numbers = _bits(left)
        if not left & self._residue_mask:
            return Matches(numbers, {})
        return self._ask_residues(numbers, fields)

    def _ask_residues(self, numbers: list[int], fields: Mapping[str, Any]) -> Matches:
        found: list[int] = []
        errors: dict[int, str] = {}
        for number in numbers:
            residues = self._residues.get(number, ())
            try:
                if all(holds(part, fields, self._expressions) for part in residues):
                    found.append(number)
            except ExpressionError as error:
                errors[number] = str(error)
        return Matches(found, errors)


class _Column:
    """One field: from its value to the mask of the rules that this value satisfies.

    Exact values are looked up; a glob is asked only if the text before its first sign fits; all
    other tests are asked once per value.
    """

    def __init__(self, path: str, tests: Mapping[int, Sequence[Test]], count: int) -> None:
        self._path = path
        self._dotted = "." in path
        self._count = count
        everyone = (1 << count) - 1
        self.untested = everyone ^ _mask(tests, count)
        self._exact: dict[object, list[int]] = {}
        self._denied: dict[object, list[int]] = {}
        self._globs: dict[str, list[tuple[Glob, int]]] = {}
        slow: dict[tuple[Test, ...], list[int]] = {}
        for number, wanted in tests.items():
            if len(wanted) != 1 or not self._file(number, wanted[0]):
                slow.setdefault(tuple(wanted), []).append(number)
        denying = {number for numbers in self._denied.values() for number in numbers}
        self._base = self.untested | _mask(denying, count)
        self._slow = [(wanted, _mask(numbers, count)) for wanted, numbers in slow.items()]
        self._remembered: dict[object, int] = {}

    def _file(self, number: int, test: Test) -> bool:
        """Put a rule where it is found by value; answers whether there is such a place."""
        choices = test.tests if isinstance(test, OneOf) else (test,)
        if all(isinstance(choice, Equals | Absent | Glob) for choice in choices):
            for choice in choices:
                if isinstance(choice, Glob):
                    self._globs.setdefault(_literal(choice.pattern), []).append((choice, number))
                else:
                    self._exact.setdefault(_key(_value(choice)), []).append(number)
            return True
        if isinstance(test, NotTest):
            inner = test.test
            denied = inner.tests if isinstance(inner, OneOf) else (inner,)
            if all(isinstance(choice, Equals | Absent) for choice in denied):
                for choice in denied:
                    self._denied.setdefault(_key(_value(choice)), []).append(number)
                return True
        return False

    def mask(self, fields: Mapping[str, Any]) -> int:
        value = find(fields, self._path) if self._dotted else fields.get(self._path)
        if value is None or type(value) is str:
            key: object = value
        elif isinstance(value, list | dict):
            return self._resolve(value)
        else:
            key = _key(value)
        found = self._remembered.get(key)
        return self._remember(key, value) if found is None else found

    def _remember(self, key: object, value: Any) -> int:
        found = self._resolve(value)
        if not isinstance(value, str) or len(value) <= LONGEST:
            if len(self._remembered) >= REMEMBERED:
                # Threads may meet here; whoever is late drops another one.
                self._remembered.pop(next(iter(self._remembered), None), None)
            self._remembered[key] = found
        return found

    def _resolve(self, value: Any) -> int:
        elements = value if isinstance(value, list) else [value]
        keys = {_key(element) for element in elements if not isinstance(element, list | dict)}
        if isinstance(value, list):
            keys.discard(None)  # a null in an array is not an absent field
        found = self._base
        denied = [number for key in keys for number in self._denied.get(key, ())]
        exact = [number for key in keys for number in self._exact.get(key, ())]
        if self._globs:
            exact.extend(n for text in elements if isinstance(text, str) for n in self._like(text))
        if denied:
            found &= ~_mask(denied, self._count)
        if exact:
            found |= _mask(exact, self._count)
        for wanted, mask in self._slow:
            if all(meets(value, test) for test in wanted):
                found |= mask
        return found

    def _like(self, text: str) -> Iterator[int]:
        for length in range(len(text) + 1):
            for glob, number in self._globs.get(text[:length], ()):
                if meets(text, glob):
                    yield number


def _lines(condition: Condition) -> Iterable[Condition]:
    """The parts that must all hold, in the order they are asked."""
    if isinstance(condition, Always):
        return []
    if not isinstance(condition, AllOf):
        return [condition]
    return [
        line
        for part in plain_first(condition.parts)
        # What asks an expression stays whole, so that it is asked in the evaluator's order.
        for line in ([part] if asks_expression(part) else _lines(part))
    ]


def _value(test: Test) -> Any:
    return test.value if isinstance(test, Equals) else None


def _literal(glob: str) -> str:
    """What a text must begin with to be like the glob."""
    for at, char in enumerate(glob):
        if char in "*?[\\":
            return glob[:at]
    return glob


def _key(value: Any) -> object:
    """A key, the same for values that are equal by the language: 5 and 5.0, not true and 1."""
    return (value,) if isinstance(value, bool) else value


def _mask(numbers: Iterable[int], count: int) -> int:
    packed = bytearray((count + 7) // 8)
    for number in numbers:
        packed[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(packed, "little")


def _bits(mask: int) -> list[int]:
    """The set bits, rising: by the lowest one where they are few, by bytes where they are many."""
    if mask.bit_count() <= 64 or mask.bit_length() <= DENSE:
        found = []
        while mask:
            lowest = mask & -mask
            found.append(lowest.bit_length() - 1)
            mask ^= lowest
        return found
    packed = mask.to_bytes((mask.bit_length() + 7) // 8, "little")
    return [at << 3 | bit for at, byte in enumerate(packed) if byte for bit in _BITS[byte]]
