"""Holding a file's data against its shape, and saying what does not fit in the reader's words."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from router.problem import closest, suggest
from router.rulebook.shape import (
    DefaultsShape,
    IncludedShape,
    RulebookShape,
    RuleShape,
)
from router.rulebook.shape_channels import (
    ChannelShape,
    EmailShape,
    RetryShape,
    SlackShape,
    SourceShape,
    TeamsShape,
    WebhookShape,
)
from router.rulebook.shape_test import ExpectShape, StepShape, TestFileShape, TestShape
from router.rulebook.shape_time import (
    CalendarShape,
    DigestShape,
    EscalationShape,
    HolidayFileShape,
    HoursShape,
    RemindShape,
    TargetShape,
    ThrottleShape,
    WatchShape,
)

if TYPE_CHECKING:
    from router.rulebook.tree import Path, Tree

_NOUNS: dict[type[BaseModel], str] = {
    RuleShape: "rule",
    ChannelShape: "channel",
    SourceShape: "source",
    DefaultsShape: "`defaults`",
    TargetShape: "this item of `notify`",
    CalendarShape: "calendar",
    HoursShape: "`hours`",
    ThrottleShape: "`throttle`",
    DigestShape: "`digest`",
    RemindShape: "`remind`",
    EscalationShape: "this item of `escalate`",
    WatchShape: "this item of `watch`",
    SlackShape: "`slack`",
    EmailShape: "`email`",
    TeamsShape: "`teams`",
    WebhookShape: "`webhook`",
    RetryShape: "`retry`",
    HolidayFileShape: "`holidays`",
    TestShape: "test",
    StepShape: "this step",
    ExpectShape: "this item of `expect`",
}


_TAKES = {"group": "a list of channels", "known": "a list of texts", "header": "a text"}


def validate(tree: Tree, shape: type[BaseModel]) -> bool:
    """Tell the tree what does not fit; returns whether the data can be read at all."""
    if tree.data is None:
        if not tree.problems:
            note = "a rules file begins with `version: 1`"
            text = "the file is empty"
            whole = shape not in (IncludedShape, TestFileShape)
            tree.tell(tree.value(()), text, *([note] if whole else []))
        return False
    if not isinstance(tree.data, dict):
        tree.tell(tree.value(()), "a rules file is a mapping of keys like `channels` and `rules`")
        return False
    try:
        shape.model_validate(tree.data, by_alias=True, by_name=False)
    except ValidationError as error:
        _Faults(tree, shape, error).tell()
    return True


class _Faults:
    """What pydantic found, each thing once: of a value that may be this or that it tells twice."""

    def __init__(self, tree: Tree, shape: type[BaseModel], error: ValidationError) -> None:
        self._tree, self._shape = tree, shape
        self._missing: list[tuple[Path, str]] = []
        self._unknown: list[Path] = []
        self._wrong: dict[Path, None] = {}
        for fault in error.errors(include_url=False, include_input=False, include_context=False):
            path, whole = _real(tree.data, fault["loc"])
            if fault["type"] == "missing":
                self._missing.append((path, str(fault["loc"][-1])))
            elif fault["type"] == "extra_forbidden" and whole:
                self._unknown.append(path)
            elif path not in tree.misread:
                self._wrong[path] = None

    def tell(self) -> None:
        meant = {(path[:-1], self._close(path)) for path in self._unknown}
        for path, name in self._missing:
            if (path, name) not in meant:  # it stands there, misspelt
                _missing(self._tree, self._shape, path, name)
        for path in self._unknown:
            _unknown(self._tree, self._shape, path)
        told = [*self._unknown, *self._wrong, *((*path, name) for path, name in self._missing)]
        for path in self._wrong:
            if not any(len(one) > len(path) and one[: len(path)] == path for one in told):
                _wrong(self._tree, self._shape, path)

    def _close(self, path: Path) -> str | None:
        return closest(str(path[-1]), _keys(_model(self._shape, path[:-1])))


def _real(data: Any, loc: tuple[int | str, ...]) -> tuple[Path, bool]:
    """The part of pydantic's location that is in the file; the rest names branches of a type."""
    path: list[int | str] = []
    part: Any
    for part in loc:
        if (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        ):
            data = data[part]
        else:
            continue
        path.append(part)
    return tuple(path), bool(loc) and bool(path) and path[-1] == loc[-1]


def _missing(tree: Tree, shape: type[BaseModel], path: Path, name: str) -> None:
    model = _model(shape, path)
    where = tree.key(path) if path else tree.value(())
    subject = _subject(tree, path, model)
    expects = _expects(model, name)
    tree.tell(where, f"{subject} has no `{name}`", f"it is {expects}")


def _unknown(tree: Tree, shape: type[BaseModel], path: Path) -> None:
    model = _model(shape, path[:-1])
    name = str(path[-1])
    subject = _subject(tree, path[:-1], model)
    if len(path) == 1 and model is IncludedShape and name in RulebookShape.model_fields:
        text = f"`{name}` stands in the main rules file only"
        tree.tell(tree.key(path), text, f"an included file holds {_listed(IncludedShape)}")
        return
    where = f" in {subject}" if len(path) > 1 else ""
    tree.tell(tree.key(path), f"unknown key `{name}`{where}", suggest(name, _keys(model)))


def _wrong(tree: Tree, shape: type[BaseModel], path: Path) -> None:
    owner = path
    while owner and isinstance(owner[-1], int):
        owner = owner[:-1]
    if not owner:
        tree.tell(tree.value(path), "this does not belong here")
        return
    model = _model(shape, owner[:-1])
    expects = _expects(model, str(owner[-1]))
    if expects is None:
        # A name that the user chose: what it takes is said by the mapping it stands in.
        noun = str(owner[-2]).rstrip("s") if len(owner) > 1 else "entry"
        takes = _TAKES.get(noun, "a mapping of keys")
        tree.tell(tree.value(path), f"{noun} `{owner[-1]}` must be {takes}")
        return
    subject = _subject(tree, owner[:-1], model)
    where = f" of {subject}" if len(owner) > 1 else ""
    if path != owner and _NOUNS.get(_model(shape, path)) in ("rule", "test"):
        text = f"each item of `{owner[-1]}` must be a mapping that begins with `name:`"
        tree.tell(tree.value(path), text)
        return
    guess = closest(str(_at(tree.data, path)), _choices(model, str(owner[-1])))
    notes = [f"did you mean `{guess}`?"] if guess else []
    tree.tell(tree.value(path), f"`{owner[-1]}`{where} must be {expects}", *notes)


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _subject(tree: Tree, path: Path, model: type[BaseModel]) -> str:
    noun = _NOUNS.get(model)
    if not path or noun is None:
        return "the file"
    if model in (RuleShape, TestShape):
        data = _at(tree.data, path)
        name = data.get("name") if isinstance(data, dict) else None
        if not isinstance(name, str):
            return f"the {noun} in line {tree.value(path).line}"
        return f"{noun} `{name if len(name) <= 60 else name[:59] + chr(0x2026)}`"
    if noun in ("channel", "source", "calendar"):
        return f"{noun} `{path[-1]}`"
    return f"{noun} of channel `{path[1]}`" if path[0] == "channels" and len(path) > 2 else noun


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or key for key, field in model.model_fields.items()]


def _listed(model: type[BaseModel]) -> str:
    return ", ".join(f"`{name}`" for name in model.model_fields)


def _expects(model: type[BaseModel], name: str) -> str | None:
    for key, field in model.model_fields.items():
        if (field.alias or key) == name and isinstance(field.json_schema_extra, dict):
            return str(field.json_schema_extra["expects"])
    return None


def _choices(model: type[BaseModel], name: str) -> list[str]:
    """The words that a key can have, if only some can."""
    for key, field in model.model_fields.items():
        if (field.alias or key) == name:
            kinds = (field.annotation, *get_args(field.annotation))
            return [
                str(word)
                for kind in kinds
                if get_origin(kind) is Literal
                for word in get_args(kind)
            ]
    return []


def _model(shape: type[BaseModel], path: Path) -> type[BaseModel]:
    """The shape of what stands at a path."""
    for part in path:
        field = next((f for key, f in shape.model_fields.items() if (f.alias or key) == part), None)
        if field is not None:
            found = _shapes_in(field.annotation)
            shape = found[0] if found else shape
    return shape


def _shapes_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (list, dict, Union, types.UnionType) or get_args(annotation):
        return [one for part in get_args(annotation) for one in _shapes_in(part)]
    return []
