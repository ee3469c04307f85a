"""The far end of all channels: it records what arrives, and behaves per channel as it is set."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec

from chaos.history import Arrival, Carried

if TYPE_CHECKING:
    from collections.abc import Sequence

Manner = Literal["well", "slow", "down", "hang"]
SLOW = 0.2
"""Seconds that the slow channel takes: something is on its way whenever a replica dies."""


class Sink:
    """An HTTP server in a thread of its own, on one port of several addresses."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.faults: list[str] = []
        self.manners: dict[str, Manner] = {"slow": "slow"}
        """How each channel's far end behaves; what is not in it is well."""
        self.default: Manner = "well"
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sink", daemon=True)
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self.listen("127.0.0.1")
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def listen(self, address: str) -> None:
        """Listen on another address, with the same port."""
        asyncio.run_coroutine_threadsafe(self._listen(address), self._loop).result(10)

    def recover(self) -> None:
        """Be well on all channels, and break off what hangs."""
        self.manners = {"slow": "slow"}
        self.default = "well"
        self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        self._released.set()
        self._released = asyncio.Event()

    async def _listen(self, address: str) -> None:
        server = await asyncio.start_server(self._serve, address, self.port, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self._servers.append(server)

    async def _close(self) -> None:
        self._released.set()
        for server in self._servers:
            server.close()
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # who sends goes away in the middle: that is what this is for
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        channel = first.split(" ")[1].strip("/")
        manner = self.manners.get(channel, self.default)
        if manner == "down":
            await _reply(writer, "503 Service Unavailable")
            return True
        self._record(channel, headers, body)
        if manner == "hang":
            await self._released.wait()
            return False
        if manner == "slow":
            await asyncio.sleep(SLOW)
        await _reply(writer, "200 OK")
        return True

    def _record(self, channel: str, headers: dict[str, str], body: bytes) -> None:
        at = time.monotonic()
        try:
            self.arrivals.append(read_arrival(at, channel, headers, msgspec.json.decode(body)))
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            self.faults.append(f"{channel}: {type(error).__name__}: {error}")


def read_arrival(
    at: float, channel: str, headers: dict[str, str], payload: dict[str, Any]
) -> Arrival:
    """A webhook's request as an arrival; raises KeyError where it is none."""
    events: Sequence[dict[str, Any]] = payload.get("events") or [payload["event"]]
    return Arrival(
        at=at,
        channel=channel,
        rule=payload["rule"]["name"],
        message_id=headers["webhook-id"],
        repeat=payload["possible_repeat"],
        case=payload["event"]["case_id"],
        carries=tuple(Carried(event["id"], event["body"]["case_version"]) for event in events),
    )


async def _reply(writer: asyncio.StreamWriter, status: str) -> None:
    writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok".encode())
    await writer.drain()
