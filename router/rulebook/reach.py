"""Which triggers a condition can hold for, decided without an event.

What a trigger never carries is known to be null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.event import COMMON_FIELDS, KNOWN_FIELDS, TRIGGERS
from router.match import possible

if TYPE_CHECKING:
    from router.condition import Condition


def triggers_of(condition: Condition, *, carried: bool = True) -> frozenset[str]:
    """The known triggers that some event could meet the condition with.

    Without `carried`, a field that a trigger does not carry counts as one it might.
    """
    return frozenset(t for t in TRIGGERS if possible(condition, _known(t, carried)) is not False)


def carriers(field: str) -> frozenset[str]:
    """The triggers whose events carry a field."""
    if field in COMMON_FIELDS:
        return frozenset(TRIGGERS)
    return frozenset(trigger for trigger, fields in TRIGGERS.items() if field in fields)


def _known(trigger: str, carried: bool) -> dict[str, Any]:
    absent = KNOWN_FIELDS.difference(COMMON_FIELDS, TRIGGERS[trigger]) if carried else ()
    return {**dict.fromkeys(absent), "trigger": trigger}
