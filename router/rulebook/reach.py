"""Which triggers a condition can hold for, decided without an event.

Three answers: it holds, it does not, or that depends on what is not known. What a trigger never
carries is known to be null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.condition import AllOf, Always, AnyOf, Condition, Field, Not
from router.event import COMMON_FIELDS, KNOWN_FIELDS, TRIGGERS
from router.match import meets

if TYPE_CHECKING:
    from collections.abc import Sequence


def triggers_of(condition: Condition, *, carried: bool = True) -> frozenset[str]:
    """The known triggers that some event could meet the condition with.

    Without `carried`, a field that a trigger does not carry counts as one it might.
    """
    return frozenset(t for t in TRIGGERS if _holds(condition, t, carried) is not False)


def carriers(field: str) -> frozenset[str]:
    """The triggers whose events carry a field."""
    if field in COMMON_FIELDS:
        return frozenset(TRIGGERS)
    return frozenset(trigger for trigger, fields in TRIGGERS.items() if field in fields)


def _holds(condition: Condition, trigger: str, carried: bool) -> bool | None:
    match condition:
        case Always():
            return True
        case Field(path="trigger", test=test):
            return meets(trigger, test)
        case Field(path=path, test=test):
            if carried and path in KNOWN_FIELDS and trigger not in carriers(path):
                return meets(None, test)
            return None
        case Not(part=part):
            found = _holds(part, trigger, carried)
            return None if found is None else not found
        case AllOf(parts=parts):
            return _all([_holds(part, trigger, carried) for part in parts])
        case AnyOf(parts=parts):
            found = _all([_opposite(_holds(part, trigger, carried)) for part in parts])
            return _opposite(found)
        case _:
            return None


def _opposite(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _all(answers: Sequence[bool | None]) -> bool | None:
    if False in answers:
        return False
    return None if None in answers else True
