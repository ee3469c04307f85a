"""Making words from outside harmless, for each format that a message can have.

A value can break no line, hide nothing (control and direction marks go), ping nobody, forge no
link and open no tag. What the template's author wrote stays as written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

from markupsafe import Markup
from markupsafe import escape as escape_html

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["html", "slack", "markdown", "text", "title"]
KINDS: tuple[Kind, ...] = ("html", "slack", "markdown", "text", "title")

# Control characters, soft hyphen, zero-width and direction marks, and what breaks lines.
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_BREAKS = re.compile(r"[\s\x85\u2028\u2029]+")
_MENTION = re.compile(r"(?<![\w.+-])@(?=\w)")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&])")
_QUIET_AT = "@\u2060"  # a word joiner: looks the same, names nobody


DEEPEST_SHOWN = 50
"""Lists and mappings within each other that are written out."""
MOST_BITS_SHOWN = 8192


class Named(dict[str, Any]):
    """A thing with a name and more: where a text is wanted, it is its name."""

    def __str__(self) -> str:
        return str(self["name"])

    def __eq__(self, other: object) -> bool:
        return str(self) == other if isinstance(other, str) else super().__eq__(other)

    __hash__ = None


def words_of(value: object, depth: int = 0) -> str:
    """A value as people write it: a list with commas, a yes as `true`; null is nothing.

    What is nested deeper than `DEEPEST_SHOWN`, or is a number of thousands of digits, is an
    ellipsis: a sender may post any.
    """
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > MOST_BITS_SHOWN:
        return "\u2026"
    if isinstance(value, list | tuple | dict) and depth > DEEPEST_SHOWN:
        return "\u2026"
    if isinstance(value, list | tuple):
        return ", ".join(words_of(part, depth + 1) for part in value)
    if isinstance(value, dict) and not isinstance(value, Named):
        parts = (f"{name}: {words_of(part, depth + 1)}" for name, part in value.items())
        return ", ".join(parts)
    return str(value)


def clean(value: object) -> str:
    """A value as one line of visible text; null is nothing."""
    text = words_of(value)
    return text if text.isprintable() else _BREAKS.sub(" ", _HIDDEN.sub("", text))


def _text(value: object) -> str:
    text = clean(value)
    return _MENTION.sub(_QUIET_AT, text) if "@" in text else text


def _slack(value: object) -> str:
    return clean(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _markdown(value: object) -> str:
    escaped = _MARKDOWN.sub(r"\\\1", clean(value)).replace("://", ":\u2060//")
    return _MENTION.sub(_QUIET_AT, escaped)


def _html(value: object) -> str:
    return str(escape_html(clean(value)))


_ESCAPES: dict[Kind, Callable[[object], str]] = {
    "html": _html,
    "slack": _slack,
    "markdown": _markdown,
    "text": _text,
    "title": _text,
}


def escaper(kind: Kind) -> Callable[[object], Markup]:
    """What turns a value into words of this format; words of the format pass as they are."""
    escape = _ESCAPES[kind]

    def finish(value: object) -> Markup:
        if isinstance(value, Markup):
            return value
        if isinstance(value, SafeUrl):
            # Nothing in it can end a link; only what the format itself would misread is escaped.
            plain = str(value)
            return Markup(escape(plain) if kind in ("html", "slack") else plain)  # noqa: S704
        return Markup(escape(value))  # noqa: S704 - this is where it is made safe

    return finish


class SafeUrl(str):
    """An address that `safe_url` let through."""

    __slots__ = ()


def safe_url(value: object) -> SafeUrl | None:
    """An address that a link may have: http or https, with nothing in it that could end it."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    if len(text) > 2000 or _HIDDEN.search(text) or _BREAKS.search(text):
        return None
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not host:
        return None
    return SafeUrl(quote(text, safe="%/:?#@!$&*+,;=~-._[]"))
