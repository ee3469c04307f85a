"""What a condition leaves possible, decided without an event: can it hold, does one cover another.

A world says of every test whether it holds. All worlds that events could make are among those
tried (and some that none could make), so "never" and "covers" are sure, and silence is not.
"""

from __future__ import annotations

from itertools import chain, combinations
from typing import TYPE_CHECKING, Any, TypeAlias

from router.condition import (
    Absent,
    AllOf,
    Always,
    AnyOf,
    Compare,
    Condition,
    Contains,
    Equals,
    Every,
    Field,
    Glob,
    If,
    NoElement,
    Not,
    NotTest,
    OneOf,
    Regex,
    Test,
    Together,
)
from router.event import KNOWN_FIELDS, TRIGGERS
from router.match import meets
from router.rulebook.globs import disjoint, implies
from router.rulebook.guess import FRESH, guesses
from router.rulebook.reach import carriers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

World: TypeAlias = frozenset[Test]
"""The tests of one field that hold at once."""

MOST_STEPS = 3000
MOST_PATTERNS = 5
MOST_WORLDS = 64
_LISTS = frozenset({"document_keys"})


class _TooMany(Exception):
    """There is too much to try; nothing is known then."""


class Weighed:
    """A condition, and events that meet it: most questions are answered by these."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self.guesses = guesses(condition)

    def within(self, earlier: Condition) -> bool:
        """Whether every event that meets this condition surely meets the earlier one."""
        if isinstance(earlier, Always) or earlier == self.condition:
            return True
        if not all(guess.meets(earlier) for guess in self.guesses):
            return False
        return not _satisfiable(AllOf((self.condition, Not(earlier))))


def impossible(condition: Condition) -> bool:
    """Whether surely no event can meet the condition."""
    return not guesses(condition) and not _satisfiable(condition)


def covers(earlier: Condition, later: Condition) -> bool:
    """Whether every event that meets the later condition surely meets the earlier one."""
    return Weighed(later).within(earlier)


def _satisfiable(condition: Condition) -> bool:
    """Whether some world meets the condition; true where there are too many to try."""
    found: dict[str, set[Test]] = {}
    for path, test in _lines(condition):
        found.setdefault(path, set()).update(_atoms(test, path))
    search = _Search(condition)
    try:
        worlds = {path: _worlds(path, frozenset(atoms)) for path, atoms in found.items()}
        for source in sorted(set(_expressions(condition))):
            worlds[f"\0{source}"] = [frozenset(), frozenset({Equals(source)})]
        return search.any(worlds)
    except _TooMany:
        return True


class _Search:
    """Tries the worlds of one field after another, and leaves a branch that cannot hold."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._steps = 0
        self._at: dict[str, World] = {}
        self._trigger: str | None = None

    def any(self, worlds: dict[str, list[World]]) -> bool:
        """Whether the condition holds in one of them: for a known trigger, or for a new one."""
        others = sorted((p for p in worlds if p != "trigger"), key=lambda path: len(worlds[path]))
        if "trigger" not in worlds:
            return self._from(others, worlds)
        for world in worlds["trigger"]:
            self._at["trigger"] = world
            # Of a known trigger it is known what its events do not carry.
            named = [t for t in world if isinstance(t, Equals) and t.value in TRIGGERS]
            self._trigger = str(named[0].value) if named else None
            if self._from(others, worlds):
                return True
        return False

    def _from(self, paths: Sequence[str], worlds: dict[str, list[World]]) -> bool:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise _TooMany
        answer = self._holds(self._condition)
        if answer is not None or not paths:
            return answer is not False
        path, rest = paths[0], paths[1:]
        tried = worlds[path]
        if self._trigger and path in KNOWN_FIELDS and self._trigger not in carriers(path):
            tried = [world for world in tried if Absent() in world]
        for world in tried:
            self._at[path] = world
            if self._from(rest, worlds):
                return True
        self._at.pop(path, None)
        return False

    def _holds(self, condition: Condition) -> bool | None:
        """The answer in the worlds so far; None where it depends on the fields to come."""
        match condition:
            case Always():
                return True
            case Field(path=path, test=test):
                world = self._at.get(path)
                return None if world is None else _meets(world, test, path)
            case If(source=source):
                world = self._at.get(f"\0{source}")
                return None if world is None else bool(world)
            case Not(part=part):
                return _opposite(self._holds(part))
            case AllOf(parts=parts):
                return _all(self._holds(part) for part in parts)
            case AnyOf(parts=parts):
                return _opposite(_all(_opposite(self._holds(part)) for part in parts))


def _opposite(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _all(answers: Iterable[bool | None]) -> bool | None:
    open_ = False
    for answer in answers:
        if answer is False:
            return False
        open_ = open_ or answer is None
    return None if open_ else True


def _meets(world: World, test: Test, path: str) -> bool:
    """Whether a test holds in a world of its field."""
    match test:
        case NotTest(test=inner):
            return not _meets(world, inner, path)
        case OneOf(tests=tests):
            return any(_meets(world, inner, path) for inner in tests)
        case Together() | Every() | NoElement() if _may_be_list(path):
            return test in world
        case Together(tests=tests):
            return all(_meets(world, inner, path) for inner in tests)
        case Every(test=inner):
            return Absent() not in world and _meets(world, inner, path)
        case NoElement(test=inner):
            return Absent() in world or not _meets(world, inner, path)
        case _:
            return test in world


def _atoms(test: Test, path: str) -> Iterator[Test]:
    """The tests that a world answers, of which a test is made."""
    match test:
        case NotTest(test=inner):
            yield from _atoms(inner, path)
        case OneOf(tests=tests):
            for inner in tests:
                yield from _atoms(inner, path)
        case Together() | Every() | NoElement() if _may_be_list(path):
            yield test
        case Together(tests=tests):
            for inner in tests:
                yield from _atoms(inner, path)
        case Every(test=inner) | NoElement(test=inner):
            yield from _atoms(inner, path)
        case _:
            yield test


def _worlds(path: str, atoms: World) -> list[World]:
    """Every world that a value of the field can make of these tests, and maybe some more."""
    values: list[Any] = [FRESH, *([] if path == "trigger" else [{}, *_numbers(atoms)])]
    values += [atom.value for atom in atoms if isinstance(atom, Equals)]
    if path == "trigger":
        atoms |= {Equals(trigger) for trigger in TRIGGERS}
        values += TRIGGERS
    plain: World = frozenset(
        a for a in atoms if not isinstance(a, Together | Every | NoElement | Absent)
    )
    found: set[World] = {frozenset(a for a in plain if meets(value, a)) for value in values}
    found |= {frozenset(some) for some in _of_patterns(plain)}
    if _may_be_list(path):
        found |= _of_lists(found, atoms - plain - {Absent()})
    if len(found) > MOST_WORLDS:
        raise _TooMany
    if path == "trigger":
        return list(found)
    # That it is null is always a world of its own: what is not carried is.
    return [frozenset(a for a in atoms | {Absent()} if meets(None, a)), *found]


def _numbers(atoms: World) -> Iterator[float]:
    """The numbers that the tests tell apart: each one that is named, and one on either side."""
    named = {atom.number for atom in atoms if isinstance(atom, Compare)}
    named |= {
        atom.value
        for atom in atoms
        if isinstance(atom, Equals) and not isinstance(atom.value, str | bool)
    }
    for one, two in combinations(sorted(named), 2):
        yield (one + two) / 2
    for number in named:
        yield from (number, number - 1, number + 1)


def _of_patterns(atoms: World) -> Iterator[tuple[Test, ...]]:
    """Which patterns a text that no test names can match at once."""
    patterns: list[Test] = [a for a in atoms if isinstance(a, Glob | Regex | Contains)]
    always = {a for a in patterns if isinstance(a, Glob) and not a.pattern.strip("*")}
    if len(patterns) > MOST_PATTERNS:
        raise _TooMany
    for some in chain.from_iterable(combinations(patterns, n) for n in range(len(patterns) + 1)):
        others = [one for one in patterns if one not in some]
        apart = any(disjoint(one, two) for one, two in combinations(some, 2))
        if (
            always <= set(some)
            and not apart
            and not any(implies(one, two) for one in some for two in others)
        ):
            yield some


def _of_lists(found: set[World], opaque: World) -> set[World]:
    """A list meets what any of its elements meets; what asks for all of them may be either."""
    made: set[World] = {frozenset()}
    for world in found:
        made |= {world | other for other in made}
        if len(made) > MOST_WORLDS:
            raise _TooMany
    some = chain.from_iterable(combinations(opaque, n) for n in range(len(opaque) + 1))
    return {world | frozenset(more) for more in some for world in made}


def _may_be_list(path: str) -> bool:
    return path in _LISTS or path not in KNOWN_FIELDS


def _lines(condition: Condition) -> Iterator[tuple[str, Test]]:
    match condition:
        case Field(path=path, test=test):
            yield path, test
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _lines(part)
        case Not(part=part):
            yield from _lines(part)


def _expressions(condition: Condition) -> Iterator[str]:
    match condition:
        case If(source=source):
            yield source
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _expressions(part)
        case Not(part=part):
            yield from _expressions(part)
