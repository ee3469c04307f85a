"""The slow, obvious evaluator: the oracle of the index, and where every reason comes from.

An `if:` expression is asked only where the plain parts beside it leave the answer open, from left
to right. One that fails makes the verdict an error: never a silent no.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from router.condition import AllOf, Always, AnyOf, Condition, Field, If, Not
from router.match.describe import describe, say, show_value
from router.match.fields import find, meets
from router.match.verdict import Check, ExpressionError, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Expressions: TypeAlias = Mapping[str, Callable[[Mapping[str, Any]], bool]]
"""From an expression's source to what asks it of an event's fields (it raises ExpressionError)."""


class _Part(msgspec.Struct):
    """The answer of a part: its truth (None: it failed), why, the checks under it, its misses."""

    holds: bool | None
    reason: str
    checks: list[Check]
    misses: int = 0


def evaluate(condition: Condition, fields: Mapping[str, Any], expressions: Expressions) -> Verdict:
    """Answer a condition for an event's fields (`source` among them); never raises for any."""
    part = _answer(condition, fields, expressions)
    answer = "error" if part.holds is None else "match" if part.holds else "no match"
    return Verdict(answer, part.reason, tuple(part.checks), part.misses)  # type: ignore[arg-type]


def holds(condition: Condition, fields: Mapping[str, Any], expressions: Expressions) -> bool:
    """The truth alone, with the same order of asking; raises ExpressionError."""
    match condition:
        case Always():
            return True
        case Field(path=path, test=test):
            return meets(find(fields, path), test)
        case If(source=source):
            return expressions[source](fields)
        case Not(part=part):
            return not holds(part, fields, expressions)
        case AllOf(parts=parts):
            return all(holds(part, fields, expressions) for part in plain_first(parts))
        case AnyOf(parts=parts):
            return any(holds(part, fields, expressions) for part in plain_first(parts))


def plain_first(parts: Sequence[Condition]) -> list[Condition]:
    """The parts in the order they are asked: those with no expression in them first."""
    return sorted(parts, key=asks_expression)


def asks_expression(condition: Condition) -> bool:
    """Whether an expression stands anywhere in the condition."""
    match condition:
        case If():
            return True
        case AllOf(parts=parts) | AnyOf(parts=parts):
            return any(asks_expression(part) for part in parts)
        case Not(part=part):
            return asks_expression(part)
        case _:
            return False


def tests_of(condition: Condition) -> Iterator[Field]:
    """Every line of a condition, wherever it stands."""
    match condition:
        case Field():
            yield condition
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from tests_of(part)
        case Not(part=part):
            yield from tests_of(part)


def _answer(condition: Condition, fields: Mapping[str, Any], expressions: Expressions) -> _Part:
    match condition:
        case Always():
            return _Part(True, "every event matches", [])
        case Field(path=path, test=test):
            return _field(path, test, fields)
        case If(source=source):
            return _expression(source, fields, expressions)
        case Not(part=part):
            inner = _answer(part, fields, expressions)
            if inner.holds is None:
                return inner
            return _denied(inner)
        case AllOf(parts=parts):
            return _all(parts, fields, expressions)
        case AnyOf(parts=parts):
            return _any(parts, fields, expressions)


def _denied(inner: _Part) -> _Part:
    """A part under `not`: one check, the other way round."""
    holds = not inner.holds
    reason = inner.reason if holds else f"{inner.reason}, which `not` excludes"
    if len(inner.checks) == 1:
        check = inner.checks[0]
        found = Check(check.field, f"not {check.expected}", check.actual, holds, reason)
    else:
        actual = "it does not" if holds else "it does"
        found = Check("not", "what stands under it does not hold", actual, holds, reason)
    return _Part(holds, reason, [found], 0 if holds else 1)


def _field(path: str, test: Any, fields: Mapping[str, Any]) -> _Part:
    value = find(fields, path)
    found = meets(value, test)
    actual = show_value(value)
    reason = say(path, actual, test, holds=found)
    check = Check(path, describe(test), actual, found, reason)
    return _Part(found, reason, [check], 0 if found else 1)


def _expression(source: str, fields: Mapping[str, Any], expressions: Expressions) -> _Part:
    try:
        found = expressions[source](fields)
    except ExpressionError as error:
        reason = f"the expression `{source}` failed: {error}"
        return _Part(None, reason, [Check("if", source, "an error", False, reason)])
    actual = "true" if found else "false"
    reason = f"`{source}` is {actual}"
    return _Part(found, reason, [Check("if", source, actual, found, reason)], 0 if found else 1)


def _all(parts: Sequence[Condition], fields: Mapping[str, Any], expressions: Expressions) -> _Part:
    checks: list[Check] = []
    reasons = []
    misses = 0
    first_no: str | None = None
    for part in plain_first(parts):
        if first_no is not None and asks_expression(part):
            break
        answer = _answer(part, fields, expressions)
        checks += answer.checks
        misses += answer.misses
        if answer.holds is None:
            return _Part(None, answer.reason, checks)
        if answer.holds:
            reasons.append(answer.reason)
        elif first_no is None:
            first_no = answer.reason
    if first_no is not None:
        return _Part(False, first_no, checks, misses)
    # What distinguishes the event is told rather than that its trigger is what it is.
    telling = [reason for reason in reasons if not reason.startswith("trigger is")] or reasons
    return _Part(True, ", ".join(telling[:3]), checks)


def _any(parts: Sequence[Condition], fields: Mapping[str, Any], expressions: Expressions) -> _Part:
    checks: list[Check] = []
    reasons = []
    misses: list[int] = []
    for part in plain_first(parts):
        answer = _answer(part, fields, expressions)
        checks += answer.checks
        if answer.holds is None or answer.holds:
            return _Part(answer.holds, answer.reason, checks)
        reasons.append(answer.reason)
        misses.append(answer.misses)
    shown = "; ".join(reasons[:3]) + ("; ..." if len(reasons) > 3 else "")
    nearest = min(misses, default=1)
    return _Part(False, f"none of `any` holds: {shown}", checks, nearest)
