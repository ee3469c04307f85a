"""What a login keeps: where somebody was, and what they were about to send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar import Request

LONGEST = 2000
MOST = 256 * 1024
"""Characters of a form that a login page carries: JSON doubles what has to be quoted."""
NEVER = ("/login", "/logout")


class Kept(msgspec.Struct, frozen=True):
    """An address to return to and, if a form was about to be sent, where and with what fields."""

    back: str = "/"
    to: str | None = None
    fields: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, request: Request[Any, Any, Any], fields: Sequence[tuple[str, str]]) -> Kept:
        """What a request that is not let in leaves to be kept."""
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.method in ("GET", "HEAD"):
            return cls(return_address(here))
        back = return_address(request.headers.get("referer", ""))
        to = return_address(here)
        return cls(back, to if fields and to != "/" else None, tuple(fields))

    @property
    def packed(self) -> str:
        """The form as the login page carries it; empty if there is none."""
        if self.to is None:
            return ""
        return msgspec.json.encode((self.to, self.fields)).decode()


def unpack(back: str, packed: str) -> Kept:
    """What a login page carried; what is not ours, or broken, is left out."""
    kept = Kept(return_address(back))
    if not packed or len(packed) > MOST:
        return kept
    try:
        to, fields = msgspec.json.decode(packed, type=tuple[str, tuple[tuple[str, str], ...]])
    except msgspec.MsgspecError:
        return kept
    aim = return_address(to)
    return kept if aim == "/" else Kept(kept.back, aim, fields)


def return_address(text: str) -> str:
    """The address within this site that a text names; the first page for anything else.

    Of a whole address (a referrer) only what stands after the host counts, so that nobody is led
    away; nor is anybody led back to where they log in or out.
    """
    if len(text) > LONGEST or not text.isprintable() or "\\" in text:
        return "/"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    path = parts.path
    if not path.startswith("/") or path.startswith("//") or path.rstrip("/") in NEVER:
        return "/"
    return path + (f"?{parts.query}" if parts.query else "")
