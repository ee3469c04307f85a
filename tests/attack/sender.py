"""A sender that behaves: it posts at a fixed rate, each event on a connection of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from attack.target import Target

RATE = 50.0
"""Posts a second."""
PATIENCE = 20.0
"""Seconds after which a post counts as lost."""


class Posts(NamedTuple):
    """What became of posts: milliseconds of each that was accepted, answers of the others."""

    accepted: tuple[float, ...]
    lost: tuple[str, ...]

    def percentile(self, part: float) -> float:
        if not self.accepted:
            return float("inf")
        times = sorted(self.accepted)
        return times[min(len(times) - 1, int(part * len(times)))]


async def post_steadily(target: Target, ended: asyncio.Event) -> Posts:
    """Post until the event is set, once at least. A post that is late by its own queue counts as
    slow: times are from when it was due."""
    tasks: list[asyncio.Task[tuple[float, str]]] = []
    began = time.perf_counter()
    while not tasks or not ended.is_set():
        due = began + len(tasks) / RATE
        tasks.append(asyncio.create_task(_post(target, len(tasks), due)))
        with contextlib.suppress(TimeoutError):
            next_due = began + len(tasks) / RATE
            await asyncio.wait_for(ended.wait(), max(0.0, next_due - time.perf_counter()))
    results = await asyncio.gather(*tasks)
    accepted = tuple(took * 1000 for took, status in results if status == "202")
    return Posts(accepted, tuple(status for _, status in results if status != "202"))


async def _post(target: Target, number: int, due: float) -> tuple[float, str]:
    body = json.dumps({"trigger": "case_created", "case_id": number}).encode()
    stream = target.hook(target.secret, b"Content-Length: %d\r\n\r\n" % len(body)) + body
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
            try:
                writer.write(stream)
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        return time.perf_counter() - due, type(error).__name__
    return time.perf_counter() - due, line[9:12].decode() or "closed"
