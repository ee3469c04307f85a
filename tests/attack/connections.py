"""Connections that are held, flooded, or never read from."""

from __future__ import annotations

import contextlib
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING

from attack.target import HOST, hold, repeat

if TYPE_CHECKING:
    from attack.target import Target

GET = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
LARGE = b"GET /static/htmx.min.js HTTP/1.1\r\n" + HOST + b"\r\n"


def idle(target: Target, seconds: float) -> Counter[str]:
    """3,000 connections that say nothing."""
    return hold(target, 3_000, b"", seconds)


def answered_and_idle(target: Target, seconds: float) -> Counter[str]:
    """3,000 connections that were answered once and stay open."""
    return _without_answers(hold(target, 3_000, GET, seconds))


def connect_and_leave(target: Target, seconds: float) -> Counter[str]:
    """Connections that are reset as soon as they are there."""

    def once() -> str:
        with contextlib.suppress(OSError), target.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(GET[:20])
        return "left"

    return repeat(once, seconds, 2)


def slow_readers(target: Target, seconds: float) -> Counter[str]:
    """200 connections that ask for a page again and again and read none of it."""
    clients: list[socket.socket] = []
    answers: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    for _ in range(200):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", target.port))
        client.setblocking(False)
        clients.append(client)
    while time.monotonic() < deadline and clients:
        for client in list(clients):
            try:
                client.send(LARGE * 20)
            except BlockingIOError:
                pass
            except OSError:
                answers["closed"] += 1
                clients.remove(client)
        time.sleep(0.1)
    answers["open"] += len(clients)
    for client in clients:
        client.close()
    return answers


def pipelining(target: Target, seconds: float) -> Counter[str]:
    """5,000 requests in one go, on connection after connection."""

    def once() -> str:
        with target.connect() as client:
            answer = b""
            with contextlib.suppress(OSError):
                client.sendall(GET * 5_000)
            with contextlib.suppress(OSError):
                while data := client.recv(65536):
                    answer += data
            return "bounded" if answer.count(b"HTTP/1.1 200") < 5_000 else "all answered"

    return repeat(once, seconds, 2)


def _without_answers(answers: Counter[str]) -> Counter[str]:
    """Whoever was answered is not ended by it."""
    answers.pop("200", None)
    return answers
