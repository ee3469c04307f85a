"""Values from outside: `${VAR}`, `${VAR:-default}`, `${VAR:?why}`, `${file:/path}`, `$$`.

They are filled in after the file was parsed, so a value can never change the structure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import quote

_FORM = re.compile(r"\$(?:(\$)|\{([^{}]*)\})")
PLACEHOLDER = "captured0captured0captured0cap"
"""What stands for an empty value inside an address in capture mode, so that it keeps its form."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Outside(Protocol):
    """Where values come from. `stand_in` is put for an empty one inside an address.

    With `masked`, `***` stands for a secret that is not shown, and not for itself.
    """

    stand_in: str
    masked: bool

    def value(self, inside: str) -> str:
        """The value for what stands in the braces; raises ValueError in words."""


class Environment:
    """Values from the environment and from files of secrets."""

    masked = False

    def __init__(
        self,
        environment: Mapping[str, str],
        read_file: Callable[[str], str],
        *,
        lenient: bool,
    ) -> None:
        """With `lenient`, what is not set is an empty text (capture mode needs no secrets)."""
        self._environment = environment
        self._read_file = read_file
        self._lenient = lenient
        self.stand_in = PLACEHOLDER if lenient else ""

    def value(self, inside: str) -> str:
        if inside.startswith("file:"):
            return self._file(inside.removeprefix("file:"))
        name, mark, rest = _parts(inside)
        found = self._environment.get(name)
        if mark == ":-":
            return found or rest
        if mark == ":?" and not found:
            raise ValueError(f"`{name}` is not set: {rest or 'it is needed'}")
        if found is None:
            if self._lenient:
                return ""
            raise ValueError(f"`{name}` is not set in the environment")
        return found

    def _file(self, path: str) -> str:
        try:
            return self._read_file(path).strip()
        except (OSError, ValueError) as error:  # a path may have a NUL, a file may be no text
            if self._lenient:
                return ""
            why = getattr(error, "strerror", None) or "it is not text"
            raise ValueError(f"`{path}` cannot be read: {str(why).lower()}") from None


class Nothing:
    """No values: what stands for them where only rules and templates matter."""

    stand_in = "outside"
    masked = True

    def value(self, inside: str) -> str:
        return "outside"


class Unseen:
    """No values: whoever tries rules out sees none, and so none is asked for.

    What has a default has that; all else is empty, as in capture mode what is not set.
    """

    stand_in = PLACEHOLDER
    masked = True

    def value(self, inside: str) -> str:
        if inside.startswith("file:"):
            return ""
        _, mark, rest = _parts(inside)
        return rest if mark == ":-" else ""


def names_outside(text: str) -> bool:
    """Whether anything in the text comes from outside."""
    return any(found[2] is not None for found in _FORM.finditer(text))


def values_outside(text: str, outside: Outside) -> list[str]:
    """Every value that a text takes from outside; those that are not set are left out."""
    found = []
    for match in _FORM.finditer(text):
        if match[2] is not None:
            try:
                found.append(outside.value(match[2]))
            except ValueError:
                continue
    return found


def fill(text: str, outside: Outside, *, in_address: bool = False) -> str:
    """Return the text with every value filled in; raises ValueError in words.

    In an address the values are percent-encoded, but for one that stands first (it may be the
    address itself).
    """

    def put(found: re.Match[str]) -> str:
        if found[1]:
            return "$"
        value = outside.value(found[2])
        if not in_address or not found.start():
            return value
        return quote(value, safe="") or outside.stand_in

    if "${" in _FORM.sub("", text):
        raise ValueError("`${` is not closed with `}`; a dollar is written `$$`")
    return _FORM.sub(put, text)


def _parts(inside: str) -> tuple[str, str, str]:
    found = _NAME.match(inside)
    if found:
        name, rest = found[0], inside[found.end() :]
        if not rest:
            return name, "", ""
        if rest[:2] in (":-", ":?"):
            return name, rest[:2], rest[2:]
    raise ValueError(
        "`${...}` holds a name, like ${VAR}, ${VAR:-default}, ${VAR:?why} or ${file:/path}"
    )
