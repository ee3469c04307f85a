"""Secrets: values that no message, log, page, row or error may show."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"
SHORTEST_REDACTED = 6


class Secret:
    """A value that shows itself as `***`; `reveal()` is the only way to the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return same(self._text, other._text)

    def __hash__(self) -> int:
        return hash(self._text)


def same(given: str | bytes, wanted: str | bytes) -> bool:
    """Compare two secrets in a time that says nothing about either, not even their length."""
    left = given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given
    right = wanted.encode("utf-8", "surrogatepass") if isinstance(wanted, str) else wanted
    return hmac.compare_digest(sha256(left).digest(), sha256(right).digest())


class Redactor:
    """Replaces every known secret, in any of its spellings in a URL, by `***`."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._spellings: tuple[str, ...] = ()
        self.add(secrets)

    def add(self, secrets: Iterable[Secret]) -> None:
        """Know more secrets; those known before stay known."""
        spellings = set(self._spellings)
        for secret in secrets:
            text = secret.reveal()
            if len(text) >= SHORTEST_REDACTED:
                spellings |= {text, quote(text, safe=""), quote_plus(text), quote(text)}
        self._spellings = tuple(sorted(spellings, key=len, reverse=True))

    def scrub(self, text: str) -> str:
        """Return `text` with no secret in it."""
        for spelling in self._spellings:
            if spelling in text:
                text = text.replace(spelling, MASK)
        return text
