"""Work that is asked for without a login: passwords to hash, forms to read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attack.target import HOST, repeat

if TYPE_CHECKING:
    from attack.target import Target

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


def wrong_bearers(target: Target, seconds: float) -> Counter[str]:
    """100 senders of wrong tokens, where the right one is kept as a hash."""
    head = b"GET /api/events HTTP/1.1\r\n" + HOST + b"Authorization: Bearer wrong-%d\r\n\r\n"
    return repeat(lambda: target.answer(head % 1), seconds, 100)


def wrong_passwords(target: Target, seconds: float) -> Counter[str]:
    """50 senders of wrong passwords on the login page."""
    form = b"name=admin&password=wrong"
    return repeat(lambda: target.answer(_post(target, b"/login", form)), seconds, 50)


def wrong_basic(target: Target, seconds: float) -> Counter[str]:
    """50 senders of wrong passwords by HTTP Basic."""
    head = b"GET / HTTP/1.1\r\n" + HOST + b"Authorization: Basic YWRtaW46d3Jvbmc=\r\n\r\n"
    return repeat(lambda: target.answer(head), seconds, 50)


def forms_without_a_login(target: Target, seconds: float) -> Counter[str]:
    """Forms of 4 MiB of `a&` to the playground."""
    form = b"a&" * (2 * 1024 * 1024)
    return repeat(lambda: target.answer(_post(target, b"/playground", form)), seconds, 4)


def forms_of_a_megabyte(target: Target, seconds: float) -> Counter[str]:
    """Forms of just under 1 MiB, by length and to more than one page."""
    form = b"a=%22&" * (170 * 1024)
    paths = (b"/playground", b"/login", b"/deliveries/plan")
    counts = [
        repeat(lambda path=path: target.answer(_post(target, path, form)), seconds / 3, 4)  # type: ignore[misc]
        for path in paths
    ]
    return sum(counts, Counter())


def _post(target: Target, path: bytes, form: bytes) -> bytes:
    origin = f"Origin: http://127.0.0.1:{target.port}\r\n".encode()
    length = b"Content-Length: %d\r\n\r\n" % len(form)
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + origin + FORM + length + form
