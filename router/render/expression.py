"""`if:` expressions: sandboxed Jinja over an event's fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jinja2 import meta
from jinja2.exceptions import TemplateSyntaxError

from router.event import KNOWN_FIELDS
from router.match import ExpressionError
from router.render.faults import FAULTS, in_words
from router.render.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ABSENT = dict.fromkeys(KNOWN_FIELDS)
_sandbox = Sandbox("text")


class ExpressionSyntax(ValueError):
    """An expression that is none; the text says why."""


def compile_expression(source: str) -> Callable[[Mapping[str, Any]], bool]:
    """Compile an expression; what is returned asks it of an event's fields.

    A field that atfinity knows is null where it is missing; any other missing name is an error.
    Raises ExpressionSyntax here, and ExpressionError when asked.
    """
    try:
        compiled = _sandbox.compile_expression(source, undefined_to_none=False)
    except TemplateSyntaxError as error:
        raise ExpressionSyntax(_advice(source) or in_words(error)) from None
    except Exception:  # noqa: BLE001 - Python's compiler has limits of its own, in many classes
        raise ExpressionSyntax("it is too long or too deep") from None

    def ask(fields: Mapping[str, Any]) -> bool:
        _sandbox.budget.start()
        try:
            return bool(compiled({**_ABSENT, "event": fields, **fields}))
        except FAULTS as error:
            raise ExpressionError(in_words(error)) from None

    return ask


_HABITS = (
    (re.compile(r"\{\{|\{%"), "it is written without `{{` and `}}`"),
    (re.compile(r"&&"), "`&&` is written `and`"),
    (re.compile(r"\|\|"), "`||` is written `or`"),
    (re.compile(r"===|!=="), "values are compared with `==` and `!=`"),
    (re.compile(r"!(?!=)"), "`!` is written `not`"),
    (re.compile(r"(?<![=!<>])=(?!=)"), "values are compared with `==`"),
)
"""What other languages write, and how it is written here."""
_TEXT = re.compile(r"\"[^\"]*\"|'[^']*'")


def _advice(source: str) -> str | None:
    """What an expression that cannot be read was probably meant to be."""
    outside = _TEXT.sub("", source)
    return next((advice for habit, advice in _HABITS if habit.search(outside)), None)


def names_in(source: str) -> frozenset[str]:
    """The names an expression uses; raises ExpressionSyntax."""
    try:
        tree = _sandbox.parse(f"{{% if {source} %}}{{% endif %}}")
    except Exception as error:  # noqa: BLE001 - as above
        raise ExpressionSyntax(in_words(error)) from None
    return frozenset(meta.find_undeclared_variables(tree))
