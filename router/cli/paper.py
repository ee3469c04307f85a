"""Text on a terminal: how wide it is, and lines that are folded under where they began."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap

import click

NARROWEST = 40
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def width() -> int | None:
    """Columns to write in; None where nobody looks (a pipe, a file): then nothing is folded."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return max(NARROWEST, shutil.get_terminal_size().columns)
    return None


def fold(text: str, indent: int, columns: int | None) -> str:
    """The text with its lines no longer than `columns`, those that follow indented."""
    if columns is None or indent + visible(text) <= columns:
        return text
    room = max(columns - indent, 20)
    return f"\n{' ' * indent}".join(
        textwrap.wrap(text, room, break_on_hyphens=False, drop_whitespace=True) or [""]
    )


def plain(text: str) -> str:
    """What came from outside, without the signs that a terminal would obey."""
    return _OBEYED.sub("\N{REPLACEMENT CHARACTER}", text)


def visible(text: str) -> int:
    """How many characters are seen of a text that may have colours in it."""
    return len(click.unstyle(text))


def clip(text: str, length: int) -> str:
    """The text, its end cut off where it is longer."""
    return text if len(text) <= length else text[: length - 1] + "…"


def beside(left: str, wide: int, right: str, columns: int | None) -> str:
    """A label and what is said of it, the label padded; a long label has a line of its own."""
    if visible(left) > wide:
        return f"{left}\n{' ' * (wide + 2)}{fold(right, wide + 2, columns)}"
    pad = " " * (wide - visible(left))
    return f"{left}{pad}  {fold(right, wide + 2, columns)}".rstrip()
