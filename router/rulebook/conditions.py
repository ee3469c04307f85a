"""Reading `when:`: from data with positions to the tree of conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

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
from router.match import PatternError, compile_glob, compile_regex
from router.problem import suggest
from router.render import ExpressionSyntax, compile_expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.rulebook.tree import Path, Tree

T = TypeVar("T")
Line = TypeVar("Line", bound=Field | If)
Places: TypeAlias = dict[int, tuple[Field | If, "Path"]]
"""Each line of a condition by its identity, and where it stands (the line is held, so that no
other gets its identity)."""

OPERATORS = ("not", "regex", "gt", "gte", "lt", "lte", "contains", "every", "none")


class WhenReader:
    """Reads the conditions of one file; what is wrong is told to its tree.

    `places` says where each line of what was read stands.
    """

    def __init__(self, tree: Tree, places: Places) -> None:
        self._tree = tree
        self._places = places
        self._rule = ""

    def read(self, data: Any, path: Path, rule: str) -> Condition | None:
        """The condition at a path of the file; None if it has a problem."""
        self._rule = rule
        if data != "always" and not isinstance(data, dict):
            return None  # the shape's check has told it
        return self._when(data, path)

    def _tell(self, path: Path, text: str, *notes: str, at_key: bool = False) -> None:
        where = self._tree.key(path) if at_key else self._tree.value(path)
        self._tree.tell(where, f"rule `{self._rule}`: {text}", *notes)

    def _when(self, data: Any, path: Path) -> Condition | None:
        if data == "always":
            return Always()
        if not isinstance(data, dict):
            self._tell(path, "a condition is field tests, or `always`")
            return None
        if not data:
            self._tell(path, "an empty `when` says nothing; for every event write `when: always`")
            return None
        found: list[Condition] | None = _whole(
            [self._line(name, value, (*path, name)) for name, value in data.items()]
        )
        if found is None:
            return None
        return found[0] if len(found) == 1 else AllOf(tuple(found))

    def _line(self, name: str, value: Any, path: Path) -> Condition | None:
        match name:
            case "any" | "all":
                return self._several(name, value, path)
            case "not":
                part = self._when(value, path)
                return None if part is None else Not(part)
            case "if":
                return self._expression(value, path)
            case "":
                self._tell(path, "a field has a name", at_key=True)
                return None
            case _:
                test = self._test(value, path, name)
                return None if test is None else self._placed(Field(name, test), path)

    def _several(self, name: str, value: Any, path: Path) -> Condition | None:
        if not isinstance(value, list) or not value:
            self._tell(path, f"`{name}` takes a list of conditions, one at least")
            return None
        parts: list[Condition] | None = _whole(
            [self._when(part, (*path, n)) for n, part in enumerate(value)]
        )
        if parts is None:
            return None
        return AnyOf(tuple(parts)) if name == "any" else AllOf(tuple(parts))

    def _expression(self, value: Any, path: Path) -> Condition | None:
        if not isinstance(value, str) or not value.strip():
            self._tell(path, '`if` takes an expression in quotes, like "case_version > 5"')
            return None
        try:
            compile_expression(value)
        except ExpressionSyntax as error:
            self._tell(path, f"the expression cannot be read: {error}")
            return None
        return self._placed(If(value), path)

    def _placed(self, line: Line, path: Path) -> Line:
        self._places[id(line)] = line, path
        return line

    def _test(self, value: Any, path: Path, field: str) -> Test | None:
        if value is None:
            return Absent()
        if isinstance(value, bool | int):
            return Equals(value)
        if isinstance(value, float):
            return Equals(value) if math.isfinite(value) else None
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, list):
            return self._list(value, path, field)
        return self._operators(value, path, field)

    def _text(self, text: str, path: Path) -> Test | None:
        if not has_wildcard(text):
            return Equals(unescaped(text))
        try:
            compile_glob(text)
        except PatternError as error:
            self._tell(path, f"`{text}` is no pattern: {error}")
            return None
        return Glob(text)

    def _list(self, values: list[Any], path: Path, field: str) -> Test | None:
        if not values:
            self._tell(path, f"an empty list is never met; name the values of `{field}`")
            return None
        tests: list[Test | None] = []
        for number, value in enumerate(values):
            if isinstance(value, list):
                self._tell((*path, number), "a list in a list is never met")
                tests.append(None)
            else:
                tests.append(self._test(value, (*path, number), field))
        found: list[Test] | None = _whole(tests)
        if found is None:
            return None
        return found[0] if len(found) == 1 else OneOf(tuple(found))

    def _operators(self, data: Any, path: Path, field: str) -> Test | None:
        if not isinstance(data, dict) or not data:
            self._tell(path, f"a test of `{field}` names what to look for", _FORMS)
            return None
        found: list[Test] | None = _whole(
            [self._operator(n, v, (*path, n), field) for n, v in data.items()]
        )
        if found is None:
            return None
        return found[0] if len(found) == 1 else Together(tuple(found))

    def _operator(self, name: str, value: Any, path: Path, field: str) -> Test | None:
        match name:
            case "not" | "every" | "none":
                test = self._test(value, path, field)
                return None if test is None else _NESTING[name](test)
            case "regex":
                return self._regex(value, path)
            case "gt" | "gte" | "lt" | "lte":
                if isinstance(value, bool) or not isinstance(value, int | float):
                    self._tell(path, f"`{name}` takes a number")
                    return None
                return Compare(name, value)
            case "contains":
                if not isinstance(value, str) or not value:
                    self._tell(path, "`contains` takes a text")
                    return None
                return Contains(value)
            case _:
                note = suggest(name, OPERATORS)
                self._tell(path, f"there is no test `{name}`", note, at_key=True)
                return None

    def _regex(self, value: Any, path: Path) -> Test | None:
        if not isinstance(value, str):
            self._tell(path, "`regex` takes a pattern in quotes")
            return None
        try:
            compile_regex(value)
        except PatternError as error:
            self._tell(path, f"the pattern cannot be read: {error}", _RE2)
            return None
        return Regex(value)


_NESTING: dict[str, Callable[[Test], Test]] = {
    "not": NotTest,
    "every": Every,
    "none": NoElement,
}
_FORMS = "a value, a list, or one of { not, regex, gt, gte, lt, lte, contains, every, none }"
_RE2 = "patterns are RE2's: no look-around and no back-references, so none can hang"


def _whole(parts: Sequence[T | None]) -> list[T] | None:
    """The parts, if none is missing."""
    found = [part for part in parts if part is not None]
    return found if len(found) == len(parts) else None


def has_wildcard(text: str) -> bool:
    escaped = False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in "*?" or (char == "[" and "]" in text[at + 2 :]):
            return True
    return False


def unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    chars = iter(text)
    return "".join(next(chars, "\\") if char == "\\" else char for char in chars)
