"""Requests that anybody may send, and that cost the router more than their sender."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from typing import TYPE_CHECKING

from attack.target import HOST, repeat

if TYPE_CHECKING:
    from attack.target import Target

HTML = b"Accept: text/html\r\n"


def readiness(target: Target, seconds: float) -> Counter[str]:
    """50 who ask whether it is ready: each question writes a row, unless one is asked for all."""
    return repeat(lambda: target.answer(_get(b"/readyz")), seconds, 50)


def pages(target: Target, seconds: float) -> Counter[str]:
    """50 who want the first page and are shown the login."""
    return repeat(lambda: target.answer(_get(b"/", HTML)), seconds, 50)


def metrics(target: Target, seconds: float) -> Counter[str]:
    """50 who want to know what is counted."""
    return repeat(lambda: target.answer(_get(b"/metrics")), seconds, 50)


def files(target: Target, seconds: float) -> Counter[str]:
    """20 who load the pages' largest file."""
    return repeat(lambda: target.answer(_get(b"/static/htmx.min.js")), seconds, 20)


def different_addresses(target: Target, seconds: float) -> Counter[str]:
    """Ever different addresses of 7 KiB, and ever different queries."""
    numbers = itertools.count()

    def once() -> str:
        number = next(numbers)
        long = b"%d" % number * (7_000 // len(b"%d" % number))
        return target.answer(_get(random.choice((b"/", b"/?q=", b"/api/events?q=")) + long))

    return repeat(once, seconds, 8)


def different_heads(target: Target, seconds: float) -> Counter[str]:
    """Ever different media types, languages, origins and tags, 6 KiB of each."""
    numbers = itertools.count()

    def once() -> str:
        word = b"%08x" % next(numbers) * 750
        names = (b"Accept", b"Content-Type", b"Accept-Language", b"Origin", b"If-None-Match")
        lines = b"".join(b"%s: a/%s; b=%s\r\n" % (name, word[:99], word) for name in names)
        return target.answer(b"POST /login HTTP/1.1\r\n" + HOST + lines + b"\r\n")

    return repeat(once, seconds, 8)


def cookies(target: Target, seconds: float) -> Counter[str]:
    """Ever different cookies: 2,000 of them, names without values, a session that is none."""
    numbers = itertools.count()

    def once() -> str:
        number = next(numbers)
        many = b"; ".join(b"c%d-%d=x" % (number, one) for one in range(2_000))[:28_000]
        odd = (b"=; ;;=;", b"router_session=%d" % number, b'router_session="', many)
        return target.answer(_get(b"/", b"Cookie: " + odd[number % len(odd)] + b"\r\n"))

    return repeat(once, seconds, 8)


def _get(path: bytes, more: bytes = b"") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + more + b"\r\n"
