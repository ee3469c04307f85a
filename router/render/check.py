"""Looking for what is wrong in templates without an event: what does not parse, or is not known."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from jinja2 import meta
from jinja2 import nodes as n
from jinja2.exceptions import TemplateSyntaxError

from router.problem import closest, suggest
from router.render.facts import VARIABLES
from router.render.family import SUFFIXES
from router.render.faults import TemplateFault, in_words
from router.render.render import BUILT_IN
from router.render.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_sandbox = Sandbox("text")
_FORGIVING = frozenset({"default", "d"})
_ASKING = frozenset({"defined", "undefined"})


def inspect(templates: Mapping[str, str], new: frozenset[str] = frozenset()) -> list[TemplateFault]:
    """Every fault of these templates (file name -> text), in their order.

    `new` are variables besides those that are always there.
    """
    names = frozenset((*BUILT_IN, *templates))
    faults: list[TemplateFault] = []
    for name, source in templates.items():
        faults.extend(inspect_source(source, name, names, new=new))
    return faults


def inspect_source(
    source: str,
    name: str,
    known: frozenset[str] = frozenset(BUILT_IN),
    *,
    new: frozenset[str] = frozenset(),
) -> list[TemplateFault]:
    """Every fault of one template's text; `known` are the names of all templates."""
    return list(_inspected(source, name, known, new))


@lru_cache(maxsize=1000)
def _inspected(
    source: str, name: str, templates: frozenset[str], new: frozenset[str]
) -> tuple[TemplateFault, ...]:
    try:
        tree = _sandbox.parse(source, name)
        _sandbox.compile(source, name)
    except TemplateSyntaxError as error:
        return (TemplateFault(name, error.lineno, _with_guess(in_words(error))),)
    except Exception:  # noqa: BLE001 - Python's compiler has limits of its own, in many classes
        return (TemplateFault(name, None, "it is nested too deeply"),)
    return (
        *(TemplateFault(name, line, text) for line, text in _references(tree, templates)),
        *(TemplateFault(name, line, text) for line, text in _unknown_names(tree, new)),
    )


def _with_guess(text: str) -> str:
    """A fault of a filter or test that is not there, with the one that was probably meant."""
    found = re.fullmatch(r"no (filter|test) named `(.*)`", text)
    if found is None:
        return text
    guess = closest(found[2], _sandbox.filters if found[1] == "filter" else _sandbox.tests)
    return f"{text}; did you mean `{guess}`?" if guess else text


def used_by(source: str) -> set[str]:
    """The templates that a template's text extends, includes or imports by name."""
    return {name for name in _named(source) if name}


def closure(
    templates: Mapping[str, str], family: str | None, texts: Iterable[str]
) -> dict[str, str]:
    """Every template (name -> text) that words of a family and of inline texts may be made of.

    The built-in words may step in for any, so what is theirs is always among them. A template
    that is named by a variable may be any.
    """
    every = {**BUILT_IN, **templates}
    members = {f"{family}{suffix}" for suffix in SUFFIXES.values()}
    found = {name: text for name, text in every.items() if name in BUILT_IN or name in members}
    waiting = [*found.values(), *texts]
    while waiting:
        for name in _named(waiting.pop()):
            if name is None:
                return every
            if name in every and name not in found:
                found[name] = every[name]
                waiting.append(every[name])
    return found


@lru_cache(maxsize=1000)
def _named(source: str) -> frozenset[str | None]:
    """The templates that a text extends, includes or imports; None for one by a variable."""
    try:
        return frozenset(meta.find_referenced_templates(_sandbox.parse(source)))
    except Exception:  # noqa: BLE001 - what cannot be read may name any
        return frozenset({None})


def _references(tree: n.Template, templates: frozenset[str]) -> Iterator[tuple[int, str]]:
    for node in tree.find_all((n.Extends, n.Include, n.Import, n.FromImport)):
        target = node.template  # type: ignore[attr-defined]
        if isinstance(target, n.Const) and target.value not in templates:
            known = suggest(str(target.value), templates)
            yield node.lineno, f"there is no template `{target.value}`; {known}"


def _unknown_names(tree: n.Template, new: frozenset[str]) -> Iterator[tuple[int, str]]:
    unknown = meta.find_undeclared_variables(tree) - VARIABLES - new
    forgiven = {
        inner.name
        for node in tree.find_all((n.Filter, n.Test))
        if node.name in (_FORGIVING if isinstance(node, n.Filter) else _ASKING)
        and isinstance(inner := node.node, n.Name)
    }
    told = set()
    for node in tree.find_all(n.Name):
        if node.name in unknown - forgiven and node.name not in told:
            told.add(node.name)
            note = suggest(node.name, VARIABLES)
            guess = note if note.startswith("did") else "if atfinity may send it, write "
            if guess != note:
                guess += f"`{node.name} | default('')`"
            yield node.lineno, f"there is no variable `{node.name}`; {guess}"
