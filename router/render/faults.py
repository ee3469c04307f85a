"""What can be wrong with a template or an expression, as its author can understand it."""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING

from jinja2.exceptions import (
    SecurityError,
    TemplateNotFound,
    TemplateRuntimeError,
    TemplateSyntaxError,
    UndefinedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container

FAULTS = (Exception,)
"""What rendering may raise: anything. Filters assert, values overflow, names are missing in what
Jinja compiles; each is the template's or the event's fault, and never lost."""


class TemplateFault(ValueError):
    """A template that cannot speak: which one, in which line (from 1, or None), and why."""

    def __init__(self, template: str, line: int | None, text: str) -> None:
        self.template = template
        self.line = line
        self.text = text
        where = f", line {line}" if line else ""
        super().__init__(f"template `{template}`{where}: {text}")


def fault_of(
    error: Exception,
    template: str,
    known: Container[str] = (),
    line_of: Callable[[str, int], int] | None = None,
) -> TemplateFault:
    """Say an error of rendering for the template's author, without the event's data.

    `known` are the names of templates; `line_of` finds a template's line by its compiled code's.
    """
    if isinstance(error, TemplateFault):
        return error
    if isinstance(error, TemplateSyntaxError):
        return TemplateFault(error.name or template, error.lineno, in_words(error))
    line, name = None, template
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename in known and frame.lineno and line_of is not None:
            name, line = frame.filename, line_of(frame.filename, frame.lineno)
    return TemplateFault(name, line, in_words(error))


def in_words(error: Exception) -> str:
    """Say an error of Jinja or of an operation in it; nothing of the event's values."""
    if isinstance(error, TemplateNotFound):
        return f"there is no template `{error.name}`"
    if isinstance(error, UndefinedError):
        return _quoted(str(error.message))
    if isinstance(error, TemplateSyntaxError | SecurityError):
        return _quoted(str(error.message))
    if isinstance(error, TypeError):
        return "it compares or joins values of different kinds (one may be null)"
    if isinstance(error, ZeroDivisionError):
        return "it divides by zero"
    if isinstance(error, RecursionError):
        return "it calls itself too deeply"
    if isinstance(error, SyntaxError):  # Python's, of what Jinja compiled
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it takes more memory than there is for it"
    if isinstance(error, OverflowError):
        return "a number is too large"
    if isinstance(error, AssertionError) and str(error):  # Jinja's own, about what a filter takes
        return f"a filter cannot take what it is given: {_quoted(str(error))}"
    if isinstance(error, TemplateRuntimeError) and error.message:
        return _quoted(str(error.message))
    return "a value is not what it expects"


_KINDS = {"dict": "a mapping", "list": "a list", "str": "a text", "int": "a number"}
"""What the reader calls the kinds of values that Jinja's words name."""


def _quoted(text: str) -> str:
    words = (
        (text if len(text) <= 300 else f"{text[:300]}\u2026")
        .strip()
        .rstrip(".")
        .replace("'", "`")
        .replace("`None`", "null")
    )
    for kind, name in _KINDS.items():
        words = re.sub(rf"`{kind} object`|\b{kind} object\b", name, words)
    if words == "chunk after expression":
        return "more stands after its end"
    if "end of template" in words:
        return "it ends where something more is expected"
    return words[:1].lower() + words[1:]
