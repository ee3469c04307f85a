"""Which triggers a condition can hold for, decided without an event.

What a trigger never carries is known to be null; one that a rule names and nobody knows may carry
anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.condition import AllOf, AnyOf, Condition, Equals, Field, If, Not, OneOf, Test
from router.event import COMMON_FIELDS, KNOWN_FIELDS, TRIGGERS
from router.match import possible, tests_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def triggers_of(condition: Condition | None, *, carried: bool = True) -> frozenset[str]:
    """The triggers that some event could meet the condition with: those known, or named in it.

    Without a condition, all that are known. Without `carried`, a field that a trigger does not
    carry counts as one it might.
    """
    if condition is None:
        return frozenset(TRIGGERS)
    named = {v for line in tests_of(condition) if line.path == "trigger" for v in _names(line.test)}
    return narrow(condition, named.union(TRIGGERS), carried=carried)


def narrow(
    condition: Condition, triggers: set[str] | frozenset[str], *, carried: bool = False
) -> frozenset[str]:
    """Those of some triggers that an event could meet the condition with."""
    return frozenset(t for t in triggers if possible(condition, _known(t, carried)) is not False)


def lines_of(
    condition: Condition, triggers: frozenset[str]
) -> Iterator[tuple[Field | If, frozenset[str]]]:
    """Every line of a condition, with the triggers of the events that come to be asked it."""
    match condition:
        case Field() | If():
            yield condition, triggers
        case AllOf(parts=parts):
            inner = narrow(condition, triggers)
            for part in parts:
                yield from lines_of(part, inner)
        case AnyOf(parts=parts):
            for part in parts:
                yield from lines_of(part, narrow(part, triggers))
        case Not(part=part):
            yield from lines_of(part, narrow(part, triggers))


def carriers(field: str) -> frozenset[str]:
    """The triggers whose events carry a field."""
    if field in COMMON_FIELDS:
        return frozenset(TRIGGERS)
    return frozenset(trigger for trigger, fields in TRIGGERS.items() if field in fields)


def carries(trigger: str, field: str) -> bool:
    """Whether events of a trigger may carry a field."""
    return field not in KNOWN_FIELDS or trigger not in TRIGGERS or trigger in carriers(field)


def _names(test: Test) -> Iterator[str]:
    if isinstance(test, Equals) and isinstance(test.value, str):
        yield test.value
    elif isinstance(test, OneOf):
        for inner in test.tests:
            yield from _names(inner)


def _known(trigger: str, carried: bool) -> dict[str, Any]:
    """What is known of a trigger's events: its name, and with `carried` what they lack."""
    absent = [f for f in KNOWN_FIELDS if carried and not carries(trigger, f)]
    return {**dict.fromkeys(absent), "trigger": trigger}
