"""Requests in the bodies of others."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from typing import TYPE_CHECKING

from attack.target import HOST, repeat
from framings import REFUSED, UPGRADES

if TYPE_CHECKING:
    from attack.target import Target

INNER = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
ALIVE = b'"alive"'


def upgrades(target: Target, seconds: float) -> Counter[str]:
    """A body that is a request, after each wish for an upgrade, by length and in chunks."""
    measures = (
        b"Content-Length: %d\r\n\r\n" % len(INNER) + INNER,
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(INNER) + INNER + b"\r\n0\r\n\r\n",
    )
    streams = itertools.cycle(
        [
            target.hook(secret, lines) + rest
            for secret in ("wrong", target.secret)
            for lines in UPGRADES.values()
            for rest in measures
        ]
    )
    return repeat(lambda: _smuggle(target, next(streams)), seconds)


def siblings(target: Target, seconds: float) -> Counter[str]:
    """A request after each framing that two servers may read differently."""
    streams = itertools.cycle([stream + INNER for stream in REFUSED.values()])
    return repeat(lambda: _smuggle(target, next(streams)), seconds)


def _smuggle(target: Target, stream: bytes) -> str:
    """Whether the inner request was answered."""
    with target.connect() as client:
        answer = b""
        with contextlib.suppress(OSError):
            client.sendall(stream)
            client.settimeout(0.1)
            while data := client.recv(65536):
                answer += data
        return "smuggled" if ALIVE in answer else "kept apart"
