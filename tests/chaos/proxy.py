"""A TCP proxy between replicas and their database, which can freeze and change its target."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self


class Proxy:
    """Forwards bytes. Frozen, it takes them and forwards nothing; nobody's connection is closed."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def freeze(self) -> None:
        """Forward nothing from here on, in either direction."""
        asyncio.run_coroutine_threadsafe(self._freeze(), self._loop).result(10)

    def resume(self) -> None:
        """Forward again, also what was taken meanwhile."""
        self._loop.call_soon_threadsafe(self._open.set)

    def break_off(self) -> None:
        """Lose what was taken: every connection ends, and new ones go to the target."""
        self.resume()
        asyncio.run_coroutine_threadsafe(self._break_off(), self._loop).result(10)

    async def _freeze(self) -> None:
        self._open.clear()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        while len(asyncio.all_tasks()) > 1:
            await self._break_off()

    async def _break_off(self) -> None:
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, out = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        pumps = {
            asyncio.ensure_future(self._pump(reader, out)),
            asyncio.ensure_future(self._pump(there, writer)),
        }
        try:
            with contextlib.suppress(asyncio.CancelledError):  # it is broken off
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            out.close()
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # either side went away
        await self._open.wait()  # frozen, the other side does not learn that this one has closed
