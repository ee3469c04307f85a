"""A load generator and a far end on bare asyncio protocols: as little as can be in the way."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Sink(asyncio.Protocol):
    """Answers every request with 200 and tells each body, with the moment it arrived."""

    def __init__(self, arrived: Callable[[bytes, float], None]) -> None:
        self._arrived = arrived
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            length = _length(head)
            if len(rest) < length:
                return
            self._arrived(rest[:length], time.perf_counter())
            self._transport.write(OK)  # type: ignore[attr-defined]
            self._buffer = rest[length:]


async def serve_sink(
    arrived: Callable[[bytes, float], None], tls: ssl.SSLContext | None = None
) -> tuple[asyncio.Server, int]:
    """Start a far end; returns it and its port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(arrived), "127.0.0.1", 0, ssl=tls)
    return server, server.sockets[0].getsockname()[1]


async def post_all(
    port: int, path: str, bodies: list[bytes], connections: int, wanted: bytes = b" 202 "
) -> float:
    """Post every body over so many keep-alive connections; returns the seconds it took."""
    queue = iter(bodies)
    began = time.perf_counter()
    await asyncio.gather(*(_poster(port, path, queue, wanted) for _ in range(connections)))
    return time.perf_counter() - began


async def post_one(port: int, path: str, body: bytes) -> None:
    await _poster(port, path, iter([body]), b" 202 ")


async def _poster(port: int, path: str, bodies: object, wanted: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    for body in bodies:  # type: ignore[attr-defined]
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        if wanted not in answer[:20]:
            raise AssertionError(answer[:200])
        if length := _length(answer):
            await reader.readexactly(length)
    writer.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0
