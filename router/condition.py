"""The tree under `when:`: tests on one field, and conditions made of them. Values only.

`match/` answers them; `rulebook/` reads them from YAML. A field is a dotted path
(`archived_by.team`); the path `source` is the name of the source that posted the event.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Scalar: TypeAlias = str | int | float | bool


class _Node(msgspec.Struct, frozen=True, tag=True):
    pass


# --- tests: what one value of one field must meet --------------------------------------------


class Equals(_Node, frozen=True):
    """Is this string, number or boolean: typed (true is not 1, "5" is not 5; 5 is 5.0)."""

    value: Scalar


class Absent(_Node, frozen=True):
    """Is null or not there."""


class Glob(_Node, frozen=True):
    """Is a string that matches `*`, `?`, `[abc]`, `[!a]`; a backslash takes the meaning away."""

    pattern: str


class Regex(_Node, frozen=True):
    """Is a string in which the pattern is found (RE2: linear time)."""

    pattern: str


class Compare(_Node, frozen=True):
    """Is a number (never a boolean) that compares so."""

    operator: Literal["gt", "gte", "lt", "lte"]
    number: int | float


class Contains(_Node, frozen=True):
    """Is a string that holds the text, letter case aside."""

    text: str


class OneOf(_Node, frozen=True):
    """Meets at least one of the tests."""

    tests: tuple[Test, ...]


class Together(_Node, frozen=True):
    """Meets all of the tests at once: `{ gt: 5, lt: 9 }`; for an array, on the same element."""

    tests: tuple[Test, ...]


class NotTest(_Node, frozen=True):
    """The field as a whole does not meet the test; null meets it."""

    test: Test


class Every(_Node, frozen=True):
    """All elements meet the test; true for an empty array, false for null."""

    test: Test


class NoElement(_Node, frozen=True):
    """No element meets the test; true for an empty array and for null."""

    test: Test


Test: TypeAlias = (
    Equals
    | Absent
    | Glob
    | Regex
    | Compare
    | Contains
    | OneOf
    | Together
    | NotTest
    | Every
    | NoElement
)

# --- conditions: what an event must meet ------------------------------------------------------


class Always(_Node, frozen=True):
    """Every event."""


class Field(_Node, frozen=True):
    """One line of a `when`: this field meets this test."""

    path: str
    test: Test


class AllOf(_Node, frozen=True):
    """Every part holds."""

    parts: tuple[Condition, ...]


class AnyOf(_Node, frozen=True):
    """At least one part holds."""

    parts: tuple[Condition, ...]


class Not(_Node, frozen=True):
    """The part does not hold."""

    part: Condition


class If(_Node, frozen=True):
    """A sandboxed Jinja expression over the event's fields is true."""

    source: str


Condition: TypeAlias = Always | Field | AllOf | AnyOf | Not | If
