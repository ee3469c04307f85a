"""What a condition comes to when only some of an event's fields are known.

Three answers: it holds (True), it does not (False), or that depends on what is not known (None).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.condition import AllOf, Always, AnyOf, Condition, Field, Not
from router.match.fields import meets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def possible(condition: Condition, known: Mapping[str, Any]) -> bool | None:
    """Answer a condition from the fields that are known (a null one is known to be null)."""
    match condition:
        case Always():
            return True
        case Field(path=path, test=test):
            return meets(known[path], test) if path in known else None
        case Not(part=part):
            return _opposite(possible(part, known))
        case AllOf(parts=parts):
            return _all([possible(part, known) for part in parts])
        case AnyOf(parts=parts):
            return _opposite(_all([_opposite(possible(part, known)) for part in parts]))
        case _:
            return None


def _opposite(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _all(answers: Sequence[bool | None]) -> bool | None:
    if False in answers:
        return False
    return None if None in answers else True
