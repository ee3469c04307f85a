"""Bodies that are too large, too slow, or made of nothing but their framing."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from typing import TYPE_CHECKING

from attack.target import hold, read_status, repeat

if TYPE_CHECKING:
    from attack.target import Target

MB = 1024 * 1024
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def oversize(target: Target, seconds: float) -> Counter[str]:
    """Bodies of 4 MiB by a sender who is known; each must get its answer."""
    body = b"x" * 4 * MB
    head = target.hook(target.secret, b"Content-Length: %d\r\n\r\n" % len(body))
    return repeat(lambda: target.answer(head + body), seconds, 2)


def oversize_by_a_stranger(target: Target, seconds: float) -> Counter[str]:
    """Bodies of 4 MiB with a wrong secret."""
    body = b"x" * 4 * MB
    head = target.hook(more=b"Content-Length: %d\r\n\r\n" % len(body))
    return repeat(lambda: target.answer(head + body), seconds, 2)


def oversize_in_chunks(target: Target, seconds: float) -> Counter[str]:
    """The same without a length."""
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    head = target.hook(target.secret, CHUNKED)
    return repeat(lambda: target.answer(head + chunk * 64 + b"0\r\n\r\n"), seconds, 2)


def slow_bodies(target: Target, seconds: float) -> Counter[str]:
    """500 signed bodies that come a few bytes at a time."""
    return hold(target, 500, target.signed() + b"Content-Length: 200000\r\n\r\n", seconds, b"x" * 8)


def unproven_bodies(target: Target, seconds: float) -> Counter[str]:
    """1,000 signed bodies of 200 KB at once, each without its last byte."""
    begin = target.signed() + b"Content-Length: 200001\r\n\r\n" + b"x" * 200_000
    return hold(target, 1_000, begin, seconds)


def many_small_bodies(target: Target, seconds: float) -> Counter[str]:
    """4,000 signed bodies of 15 KB at once, each without its last byte."""
    begin = target.signed() + b"Content-Length: 15001\r\n\r\n" + b"x" * 15_000
    return hold(target, 4_000, begin, seconds)


def left_halfway(target: Target, seconds: float) -> Counter[str]:
    """Signed posts whose sender leaves in the middle of the body, or right after it."""
    begins = itertools.cycle((100_000, 200_000))

    def once() -> str:
        head = target.signed() + b"Content-Length: 200000\r\n\r\n"
        with contextlib.suppress(OSError), target.connect() as client:
            client.sendall(head + b"x" * next(begins))
        return "left"

    return repeat(once, seconds, 2, target.pace / 2)


def never_continued(target: Target, seconds: float) -> Counter[str]:
    """500 who ask whether to send their body, and never do."""
    expect = b"Content-Length: 200000\r\nExpect: 100-continue\r\n\r\n"
    return hold(target, 500, target.signed() + expect, seconds)


def small_chunks(target: Target, seconds: float) -> Counter[str]:
    """Bodies in 25,000 chunks of ten bytes, as a sender might who writes word by word."""
    stream = target.signed() + CHUNKED + b"a\r\n0123456789\r\n" * 25_000 + b"0\r\n\r\n"
    return repeat(lambda: target.answer(stream), seconds, 2)


def chunks_of_one_byte(target: Target, seconds: float) -> Counter[str]:
    """Bodies in 200,000 chunks of one byte."""
    stream = target.signed() + CHUNKED + b"1\r\nx\r\n" * 200_000 + b"0\r\n\r\n"
    return repeat(lambda: target.answer(stream), seconds, 2)


def chunk_extensions(target: Target, seconds: float) -> Counter[str]:
    """A chunk whose extension has no end."""
    return repeat(lambda: _pour(target, b"1;a=", b"b" * MB), seconds, 2)


def endless_trailers(target: Target, seconds: float) -> Counter[str]:
    """Trailers without an end."""
    return repeat(lambda: _pour(target, b"1\r\nx\r\n0\r\n", b"a: b\r\n" * (MB // 6)), seconds, 2)


def endless_trailer(target: Target, seconds: float) -> Counter[str]:
    """One trailer whose value has no end."""
    return repeat(lambda: _pour(target, b"1\r\nx\r\n0\r\na: ", b"b" * MB), seconds, 2)


def _pour(target: Target, begin: bytes, piece: bytes) -> str:
    """63 MB after the head of a post whose body is waited for."""
    with target.connect() as client:
        with contextlib.suppress(OSError):
            client.sendall(target.signed() + CHUNKED + begin)
            for _ in range(63):
                client.sendall(piece)
        return read_status(client)
