"""The fields that rules name: whether atfinity sends them, and whether they can be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from router.condition import Condition, Field, If
from router.event import KNOWN_FIELDS, NULLABLE_FIELDS, NUMBER_FIELDS, TRIGGERS
from router.match import ExpressionError, compile_glob, meets
from router.problem import Position, Problem, closest, suggest
from router.render import compile_expression
from router.render.expression import names_in
from router.rulebook.conditions import has_wildcard, unescaped
from router.rulebook.reach import carriers, carries, lines_of, triggers_of
from router.rulebook.samples import sample
from router.rulebook.worlds import impossible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from router.rulebook.draft import Draft
    from router.rulebook.tree import Path, Tree
    from router.rules import Rule


SLIP = 0.88
"""How alike a name must be to a known one to count as a slip of the pen: a letter too many, too
few or elsewhere; what shares a word with a known name is less alike."""


class _Place(NamedTuple):
    """One condition, and where it stands."""

    condition: Condition
    rule: Rule
    tree: Tree
    path: Path
    who: str


def check_fields(draft: Draft) -> Iterator[Problem]:
    """Every problem of the fields that conditions, digests, throttles and channels name."""
    reader = _Fields(draft)
    for rule, tree, path in draft.rules:
        who = f"rule `{rule.name}`"
        for key, condition in (("when", rule.when), ("unless", rule.unless)):
            if condition is not None:
                yield from reader.of_condition(_Place(condition, rule, tree, (*path, key), who))
        yield from reader.of_keys(rule, tree, path)
    for rule, tree, path in draft.unmatched:
        if rule.unmatched is not None:
            at = (*path, "unmatched")
            yield from reader.of_condition(_Place(rule.unmatched, rule, tree, at, "this watch"))
    yield from reader.of_hidden()
    for name in draft.known:
        if name not in KNOWN_FIELDS and (guess := closest(name, KNOWN_FIELDS, SLIP)):
            where = draft.main.key(("known", name))
            text = f"`known` names `{name}`, which atfinity does not send"
            yield Problem(where, text, (f"did you mean `{guess}`?",), "warning")


class _Fields:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._known = draft.known
        self._sources = draft.sources

    def of_condition(self, place: _Place) -> Iterator[Problem]:
        triggers = triggers_of(place.condition, carried=False)
        never = bool(triggers) and not triggers_of(place.condition)
        told = False
        for line, asked in lines_of(place.condition, triggers):
            path = self._draft.places[id(line)][1]
            if isinstance(line, If):
                yield from self._of_expression(line, asked, path, place)
                continue
            yield from self._of_name(line.path, path, place.tree, f"{place.who} tests")
            yield from self._of_values(line, path, place)
            found = _uncarried(line, asked, never=never)
            if found is not None:
                told = told or found[1] == "error"
                text = f"{place.who}{_verb(place, never=never, line=line)}: {found[0]}"
                notes = (f"events that do: {', '.join(sorted(carriers(line.path)))}",)
                yield Problem(place.tree.key(path), text, notes, found[1])
        if not told and place.rule.enabled and impossible(place.condition):
            where = place.tree.key(place.path)
            if place.path[-1] == "unless":
                yield Problem(where, f"{place.who}: nothing can ever meet its `unless`")
            else:
                yield Problem(where, f"{place.who} can never match: its lines exclude each other")

    def of_keys(self, rule: Rule, tree: Tree, path: Path) -> Iterator[Problem]:
        """The fields that a rule counts or collects by."""
        for key, by in (
            ("throttle", rule.throttle.by if rule.throttle else ()),
            ("digest", rule.digest.by if rule.digest else ()),
        ):
            for number, name in enumerate(by):
                at: Path = (*path, key, "by", number)
                yield from self._of_name(name, at, tree, f"rule `{rule.name}` goes by")
                triggers = triggers_of(rule.when)
                if triggers and not any(carries(trigger, name) for trigger in triggers):
                    text = f"rule `{rule.name}` goes by `{name}`: {_none_carries(triggers, name)}"
                    note = f"events that do: {', '.join(sorted(carriers(name)))}"
                    yield Problem(tree.value(at), text, (note,), "warning")

    def of_hidden(self) -> Iterator[Problem]:
        for name, channel in self._draft.channels.items():
            given = self._draft.main.data["channels"][name].get("hide")
            for number, field in enumerate(given if channel.hide else ()):
                if not isinstance(field, str):
                    continue  # the shape's check tells it
                at: Path = ("channels", name, "hide", number)
                whole = str(field).partition(".")[0]
                if whole != field:
                    text = (
                        f"channel `{name}` hides a part of `{whole}`; only whole fields are masked"
                    )
                    note = f"write `{whole}`"
                    yield Problem(self._draft.main.value(at), text, (note,))
                    continue
                yield from self._of_name(whole, at, self._draft.main, f"channel `{name}` hides")

    def _of_name(self, field: str, path: Path, tree: Tree, does: str) -> Iterator[Problem]:
        name = field.partition(".")[0]
        if name in KNOWN_FIELDS or name == "source" or {name, field} & self._known.keys():
            return
        text = f"{does} `{name}`, which atfinity does not send"
        where = tree.key(path) if path[-1] == field else tree.within(path, name)
        yield _not_sent(where, text, name, KNOWN_FIELDS)

    def _of_values(self, line: Field, path: Path, place: _Place) -> Iterator[Problem]:
        allowed = [str(value) for value in self._known.get(line.path, ())]
        for value, at in _values(_at(place.tree.data, path), path):
            where = place.tree.value(at)
            if at in place.tree.misread:
                continue  # how it is written is told already
            misfit = _misfit(line.path, value)
            if misfit is not None:
                told = f"{place.who}: {misfit}"
                yield Problem(where, told, ("the two are never equal",), "warning")
                continue
            like = isinstance(value, str) and has_wildcard(value)
            text = unescaped(value) if isinstance(value, str) and not like else str(value)
            if allowed and not _among(text, allowed, like=like):
                told = f"no known `{line.path}` is like `{text}`" if like else (
                    f"`{text}` is not among the known `{line.path}`"
                )  # fmt: skip
                yield Problem(where, f"{place.who}: {told}", (suggest(text, allowed),))
            elif line.path == "source" and not _among(text, self._sources, like=like):
                told = f"{place.who} asks for unknown source `{text}`"
                yield Problem(where, told, (suggest(text, self._sources),))
            elif line.path == "trigger" and not allowed and not _among(text, TRIGGERS, like=like):
                told = f"{place.who} waits for `{text}`, which atfinity does not send"
                yield _not_sent(where, told, text, TRIGGERS)

    def _of_expression(
        self, line: If, asked: frozenset[str], path: Path, place: _Place
    ) -> Iterator[Problem]:
        names = names_in(line.source) - {"event", "source"}
        for name in sorted(names):
            yield from self._of_name(name, path, place.tree, f"{place.who}: `if` names")
            if asked and not any(carries(trigger, name) for trigger in asked):
                text = f"{place.who}: `if` names `{name}`: {_none_carries(asked, name)}"
                yield Problem(place.tree.within(path, name), text, (), "warning")
        tested = {one.path for one, _ in lines_of(place.condition, asked) if isinstance(one, Field)}
        unknown = names - KNOWN_FIELDS - self._known.keys()
        # What is not known is undefined in every sample: that is told above.
        fault = None if unknown else _always_fails(line.source, asked)
        if fault is not None:
            text = f"{place.who}: `if` fails for every event: {fault}"
            yield Problem(place.tree.within(path, line.source), text)
            return
        for name in sorted(names & NULLABLE_FIELDS - tested) if not unknown else ():
            fault = _fails_without(line.source, name, asked)
            if fault is not None:
                text = f"{place.who}: `if` fails where `{name}` is null: {fault}"
                note = f"write `{name} is not none and ...`"
                yield Problem(place.tree.within(path, name), text, (note,), "warning")


def _misfit(field: str, value: str | float) -> str | None:
    """Why a value can never be equal to what atfinity sends in a field: it is of another kind."""
    if field not in KNOWN_FIELDS:
        return None
    kind = {str: "a text", bool: "true or false"}.get(type(value), "a number")
    holds = "a number" if field in NUMBER_FIELDS else "a text"
    return None if kind == holds else f"`{field}` holds {holds}, and this is {kind}"


def _verb(place: _Place, *, never: bool, line: Field) -> str:
    if never:
        return " can never match" if place.path[-1] != "unless" else ": its `unless` never holds"
    return f": this test of `{line.path}` can never hold" if not meets(None, line.test) else (
        f": this test of `{line.path}` says nothing"
    )  # fmt: skip


def _uncarried(line: Field, asked: frozenset[str], *, never: bool) -> tuple[str, Any] | None:
    """Why a line asks for what is never there, and how bad that is."""
    if not asked or any(carries(trigger, line.path) for trigger in asked):
        return None
    harmless = meets(None, line.test) and not never
    return _none_carries(asked, line.path), "warning" if harmless else "error"


def _none_carries(triggers: frozenset[str], field: str) -> str:
    told = " and ".join(f"`{trigger}`" for trigger in sorted(triggers))
    return f"{told} events carry no `{field}`"


def _not_sent(where: Position, text: str, name: str, known: Collection[str]) -> Problem:
    """A name that atfinity is not known to send: a slip of the pen is wrong, a new one may be."""
    slip = closest(name, known, SLIP) is not None
    notes = (suggest(name, known), "if a newer atfinity sends it, name it under `known:`")
    return Problem(where, text, notes, "error" if slip else "warning")


def _among(text: str, known: Any, *, like: bool) -> bool:
    if not like:
        return text in known
    pattern = compile_glob(text)
    return any(pattern.matches(value) for value in known)


def _values(data: Any, path: Path) -> Iterator[tuple[Any, Path]]:
    """The plain values and patterns that a test names, and where each stands."""
    if isinstance(data, str | int | float):
        yield data, path
    elif isinstance(data, list):
        for number, item in enumerate(data):
            yield from _values(item, (*path, number))
    elif isinstance(data, dict):
        for name in ("not", "every", "none"):
            if name in data:
                yield from _values(data[name], (*path, name))


def _at(data: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        data = data[part]
    return data


def _always_fails(source: str, triggers: frozenset[str]) -> str | None:
    """Why an expression has no answer for any event of these triggers (none: of all)."""
    ask = compile_expression(source)
    fault = None
    for trigger in sorted(triggers.intersection(TRIGGERS) or TRIGGERS):
        try:
            ask({**sample(trigger, null=False).fields, "source": "s"})
        except ExpressionError as error:
            fault = str(error)
        else:
            return None
    return fault


def _fails_without(source: str, name: str, triggers: frozenset[str]) -> str | None:
    ask = compile_expression(source)
    for trigger in sorted(triggers.intersection(TRIGGERS)):
        fields = sample(trigger, null=False).fields
        try:
            ask({**fields, "source": "s"})
            ask({**fields, "source": "s", name: None})
        except ExpressionError as error:
            return str(error)
    return None
