"""The router's HTTP server with an application that remembers what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import uvloop

from router.server import LIMITS, Limits, Server

if TYPE_CHECKING:
    from collections.abc import Sequence


class Seen(NamedTuple):
    """One request as the application saw it."""

    method: str
    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class Serving:
    """Serves in a thread; `seen` are the requests, `refused` counts what was not let through."""

    def __init__(self, limits: Limits = LIMITS, *, reads: bool = True, answer: int = 10) -> None:
        self.seen: list[Seen] = []
        self.refused: Counter[str] = Counter()
        self._limits = limits
        self._reads = reads
        self._answer = b"." * answer
        self._listening = socket.socket()
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(256)
        self.port: int = self._listening.getsockname()[1]
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.server: Server | None = None

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while self._reads:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            if not message["more_body"]:
                break
        headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"])
        self.seen.append(Seen(scope["method"], scope["raw_path"].decode(), body, headers))
        length = str(len(self._answer)).encode()
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
        )
        await send({"type": "http.response.body", "body": self._answer})

    def _run(self) -> None:
        asyncio.Runner(loop_factory=uvloop.new_event_loop).run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.server = Server(
            self._app,
            proxies=(),
            drain=1.0,
            max_body=0,
            refused=lambda reason: self.refused.update([reason]),
            limits=self._limits,
        )
        self._up.set()
        await self.server.serve([self._listening])

    def __enter__(self) -> Self:
        self._thread.start()
        self._up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        if self.server is not None:
            self._loop.call_soon_threadsafe(self.server.stop)
        self._thread.join(15)
        self._listening.close()

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def exchange(self, pieces: Sequence[bytes], answers: int = 1) -> bytes:
        """Send pieces one after the other, each read by itself, and return what comes back: so
        many answers and what comes within a moment after them, or all until the server closes."""
        with self.connect() as client:
            answer = b""
            with contextlib.suppress(OSError):
                for piece in pieces:
                    client.sendall(piece)
                    if len(pieces) > 1:
                        self.turn()
            with contextlib.suppress(ConnectionError, TimeoutError):
                while data := client.recv(65536):
                    answer += data
                    if len(statuses(answer)) >= answers and answer.endswith(self._answer):
                        client.settimeout(0.05)
            return answer

    def turn(self) -> None:
        """Wait until the server has read what was sent before."""
        done = threading.Event()

        def twice() -> None:
            self._loop.call_soon(done.set)

        self._loop.call_soon_threadsafe(twice)
        done.wait(10)


def statuses(answer: bytes) -> list[int]:
    """The status codes of the answers in a stream."""
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", answer)]
