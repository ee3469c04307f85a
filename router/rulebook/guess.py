"""Guessing events that meet a condition: one that does proves more, and sooner, than any search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.condition import (
    Absent,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Contains,
    Equals,
    Every,
    Field,
    Glob,
    If,
    Not,
    NotTest,
    OneOf,
    Test,
    Together,
)
from router.match import holds, meets, witnesses
from router.rulebook.reach import carries, triggers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FRESH = "\ue000 no text that a rule names"


class _Supposed(dict[str, "Callable[[Mapping[str, Any]], bool]"]):
    """Expressions: those of the condition are supposed to hold, and no others."""

    def __missing__(self, source: str) -> Callable[[Mapping[str, Any]], bool]:
        return lambda _: False


class _Open(dict[str, Any]):
    """What is nested and nobody knows may hold anything besides what a rule asks for."""

    def __missing__(self, name: str) -> Any:
        return FRESH


class Guess:
    """An event that meets a condition, if its expressions hold."""

    def __init__(self, fields: dict[str, Any], sources: frozenset[str]) -> None:
        self.fields = fields
        self._expressions = _Supposed({source: lambda _: True for source in sources})

    def meets(self, condition: Condition) -> bool:
        """Whether it meets another condition too, whose other expressions do not hold."""
        return holds(condition, self.fields, self._expressions)


def guesses(condition: Condition) -> list[Guess]:
    """Two events that meet the condition, as different as may be; fewer where none is found."""
    sources = frozenset(_sources(condition))
    found = []
    for last in (False, True):
        for trigger in (FRESH, *sorted(triggers_of(condition), reverse=last)):
            some = {"trigger": trigger, **_some(condition, last=last)}
            named = some["trigger"] if isinstance(some["trigger"], str) else trigger
            some = {name: value for name, value in some.items() if carries(named, name)}
            guess = Guess({**some, "trigger": named}, sources)
            if guess.meets(condition):
                found.append(guess)
                break
    return found


def demanded(condition: Condition) -> dict[str, Any]:
    """The fields that every event that meets the condition has, each with one such value."""
    match condition:
        case Field(path=path, test=test) if not meets(None, test):
            first, *inner = path.split(".")
            value = _value(test, last=False)
            for name in reversed(inner):
                value = _Open({name: value})
            return {first: FRESH if value is None else value}
        case AllOf(parts=parts):
            made: dict[str, Any] = {}
            for part in parts:
                made = {**demanded(part), **made}
            return made
        case AnyOf(parts=parts):
            every = [demanded(part) for part in parts]
            return {n: v for n, v in every[0].items() if all(n in other for other in every)}
        case _:
            return {}


def _some(condition: Condition, *, last: bool) -> dict[str, Any]:
    """Values that probably meet it: the first (or `last`) of several."""
    match condition:
        case Field(path=path, test=test):
            return {path: _value(test, last=last)}
        case AllOf(parts=parts):
            made: dict[str, Any] = {}
            for part in parts:
                made |= _some(part, last=last)
            return made
        case AnyOf(parts=parts):
            return _some(parts[-1 if last else 0], last=last)
        case _:
            return {}


def _value(test: Test, *, last: bool) -> Any:
    match test:
        case Equals(value=value):
            return value
        case Glob(pattern=pattern):
            return witnesses(pattern)[0 if last else -1]
        case Contains(text=text):
            return f"{FRESH}{text}"
        case Compare(operator=operator, number=number):
            return number + 1 if operator in ("gt", "gte") else number - 1
        case OneOf(tests=tests):
            return _value(tests[-1 if last else 0], last=last)
        case Together(tests=tests):
            values = [_value(inner, last=last) for inner in tests]
            return next((v for v in values if meets(v, test)), None)
        case Every(test=inner):
            return [_value(inner, last=last)]
        case NotTest(test=Absent()):
            return FRESH
        case NotTest():
            return None if last else FRESH
        case _:
            return None


def _sources(condition: Condition) -> Iterator[str]:
    match condition:
        case If(source=source):
            yield source
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _sources(part)
        case Not(part=part):
            yield from _sources(part)
