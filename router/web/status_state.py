"""What the status page tells: settings without secrets, sizes, differences of rulesets. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

from router.duration import show_duration
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.settings import Settings

DURATIONS = frozenset({"retention", "drain"})
SIZES = frozenset({"max_body"})
MOST = 3000
"""Lines of a difference that are shown."""


class Setting(NamedTuple):
    """One setting by its name in the environment; a secret is only told to be set."""

    name: str
    value: str


class Line(NamedTuple):
    """One line of a difference: `add`, `take`, `at` (a place in the file), `file` or `same`."""

    kind: str
    text: str


def settings_in_words(settings: Settings) -> list[Setting]:
    """Every setting, without any secret."""
    fields = settings.__struct_fields__
    return [
        Setting(f"ROUTER_{name.upper()}", _value(name, getattr(settings, name))) for name in fields
    ]


def size_in_words(size: float) -> str:
    """Bytes for a reader: `840 kB`, `1.4 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> list[Line]:
    """What changed from one ruleset's files to another's, as a unified difference."""
    return list(_difference(old, new))[: MOST + 1]


def _difference(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Line]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        told = " (new)" if before is None else " (gone)" if after is None else ""
        yield Line("file", name + told)
        was, now = (before or "").splitlines(), (after or "").splitlines()
        lines = difflib.unified_diff(was, now, lineterm="", n=3)
        for number, text in enumerate(lines):
            if number >= 2:  # the first two repeat the name
                yield Line(_KINDS.get(text[:1], "same"), text)


def _value(name: str, value: object) -> str:
    if isinstance(value, Secret):
        return "see above" if name == "database_url" else "set (a secret)"
    if value is None or value == ():
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in DURATIONS and isinstance(value, float):
        return show_duration(value)
    if name in SIZES and isinstance(value, int):
        return f"{value:,} bytes"
    if isinstance(value, tuple | frozenset | list):
        return ", ".join(str(one) for one in value)
    return str(value)


_KINDS = {"+": "add", "-": "take", "@": "at"}
