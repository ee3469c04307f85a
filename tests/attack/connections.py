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
    answers = hold(target, 3_000, target.hook(more=b"Content-Length: 0\r\n\r\n"), seconds)
    del answers["404"]  # that is what they wait for
    return answers


def connect_and_leave(target: Target, seconds: float) -> Counter[str]:
    """Connections that are reset as soon as they are there."""

    def once() -> str:
        with contextlib.suppress(OSError), target.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(GET[:20])
        return "left"

    return repeat(once, seconds, 2, target.pace / 2)


def ask_and_leave(target: Target, seconds: float) -> Counter[str]:
    """Requests for pages whose answers nobody reads: the connection is closed at once."""

    def once() -> str:
        with contextlib.suppress(OSError), target.connect() as client:
            client.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        return "left"

    return repeat(once, seconds, 2, target.pace / 2)


def unread_pipelines(target: Target, seconds: float) -> Counter[str]:
    """200 connections with 16 posts each, sent ahead; nobody reads the answers."""
    post = target.hook(more=b"Content-Length: 1000\r\n\r\n" + b"x" * 1_000)
    clients = []
    deadline = time.monotonic() + seconds
    for _ in range(200):
        with contextlib.suppress(OSError):
            client = target.connect()
            clients.append(client)
            client.sendall(post * 16)
        time.sleep(1 / target.pace)
    time.sleep(max(0.0, deadline - time.monotonic()))
    for client in clients:
        client.close()
    return Counter(left=len(clients))


def slow_readers(target: Target, seconds: float) -> Counter[str]:
    """100 connections that ask for half a megabyte and read none of it."""
    clients: list[socket.socket] = []
    answers: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    for _ in range(100):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", target.port))
        client.sendall(LARGE * 10)
        clients.append(client)
        time.sleep(1 / target.pace)
    time.sleep(max(0.0, deadline - time.monotonic()))
    for client in clients:
        with contextlib.suppress(OSError):
            client.sendall(GET)
            answers["open"] += 1
        client.close()
    answers["closed"] += len(clients) - answers["open"]
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
