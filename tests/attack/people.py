"""Work that is asked for without a login: passwords to hash, forms to read."""

from __future__ import annotations

import itertools
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


def different_forms(target: Target, seconds: float) -> Counter[str]:
    """Ever different forms, as large as a login and a stranger's form may be: none may be kept."""
    numbers = itertools.count()
    sizes = itertools.cycle(((b"/login", 700_000), (b"/playground", 120_000)))

    def once() -> str:
        path, size = next(sizes)
        return target.answer(_post(target, path, b"f%d=%s" % (next(numbers), b"x" * size)))

    return repeat(once, seconds, 4)


def forms_of_quotes(target: Target, seconds: float) -> Counter[str]:
    """Forms in which every sign is quoted."""
    form = b"name=" + b"%E2%82%AC" * 13_000
    return repeat(lambda: target.answer(_post(target, b"/login", form)), seconds, 4)


def forms_in_parts(target: Target, seconds: float) -> Counter[str]:
    """Forms in ever so many parts, and in parts without an end."""
    part = b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\nb\r\n'
    kind = b"Content-Type: multipart/form-data; boundary=x\r\n"
    forms = itertools.cycle((part * 150 + b"--x--\r\n", part * 2_000, part * 20_000, part[:-9]))
    return repeat(
        lambda: target.answer(_post(target, b"/playground", next(forms), kind)), seconds, 4
    )


def different_bearers(target: Target, seconds: float) -> Counter[str]:
    """Ever different tokens, named ones too, that claim to come from ever different addresses."""
    numbers = itertools.count()

    def once() -> str:
        number = next(numbers)
        token = (b"wrong-%d", b"router_%d")[number % 2] % number
        address = b"10.%d.%d.%d" % (number >> 16 & 255, number >> 8 & 255, number & 255)
        more = b"Authorization: Bearer " + token + b"\r\nX-Forwarded-For: " + address + b"\r\n\r\n"
        return target.answer(b"GET /api/events HTTP/1.1\r\n" + HOST + more)

    return repeat(once, seconds, 20)


def wrong_hooks(target: Target, seconds: float) -> Counter[str]:
    """50 senders who guess at secrets and sources."""
    numbers = itertools.count()
    empty = b"Content-Length: 2\r\n\r\n{}"
    return repeat(lambda: target.answer(target.hook(f"{next(numbers)}", empty)), seconds, 50)


def _post(target: Target, path: bytes, form: bytes, kind: bytes = FORM) -> bytes:
    origin = f"Origin: http://127.0.0.1:{target.port}\r\n".encode()
    length = b"Content-Length: %d\r\n\r\n" % len(form)
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + origin + kind + length + form
