"""Asking the process aside: it is started when it is needed, and stopped when it takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Hashable

import msgspec

from router.log import get_logger
from router.trial.question import Answer, Question
from router.trial.turns import Turns

SECONDS = 10.0
"""So long an answer may take while nobody else waits."""
SHARED = 3.0
"""So long it may take while others wait."""
PATIENCE = 15.0
"""So long anybody waits for their turn: then they are told."""
STARTING = 20.0
"""So long more the first may take, while the process starts."""
MOST_WAITING = 16
MOST_OF_ONE = 6
"""Questions of one viewer that wait, over all their pages."""
LONGEST = 32 * 1024**2
KEPT = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONTZPATH", "TZDIR", "TMPDIR")
"""What such a process is told of the environment: nothing that could be secret."""

_log = get_logger()


class TooMuch(Exception):
    """There is no answer; the text says why, and what to do."""


class Aside:
    """One process aside, and those who wait for it in turn."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self.process: Process | None = None
        self._turn = Turns()
        self._latest: dict[Hashable, object] = {}
        self._waiting = 0
        self._viewers: dict[Hashable, int] = {}

    async def ask(
        self, who: Hashable, question: Question, viewer: Hashable = None
    ) -> Answer | None:
        """Ask; None if the same page (`who`) asked anew before it was its turn.

        Turns are given by `viewer`, however many pages they have.

        Raises TooMuch if the answer takes too long or too much memory, or too many wait.
        """
        mine_waiting = self._viewers.get(viewer, 0)
        if self._waiting >= MOST_WAITING or mine_waiting >= MOST_OF_ONE:
            raise TooMuch("too many try rules at once; wait a moment, then type on")
        mine = self._latest[who] = object()
        self._waiting += 1
        self._viewers[viewer] = mine_waiting + 1
        try:
            async with self._turn.of(viewer, PATIENCE):
                if self._latest.get(who) is not mine:
                    return None
                seconds = self._seconds if self._waiting == 1 else min(SHARED, self._seconds)
                return await self._answer(msgspec.json.encode(question) + b"\n", seconds)
        except TimeoutError:
            raise TooMuch("others try rules just now; wait a moment, then type on") from None
        finally:
            self._waiting -= 1
            self._viewers[viewer] -= 1
            if not self._viewers[viewer]:
                del self._viewers[viewer]
            if self._latest.get(who) is mine:
                del self._latest[who]

    async def _answer(self, line: bytes, seconds: float) -> Answer:
        try:
            for _ in range(2):  # one that ended because nobody asked is started again
                fresh = self.process is None
                process = self.process or await self._start()
                answer = await self._exchange(process, line, seconds + STARTING * fresh)
                if answer:
                    return msgspec.json.decode(answer, type=Answer)
                await self._end()
                if fresh:
                    break
        except TimeoutError:
            await self._end()
            told = f"it takes longer than {seconds:g} seconds; try less, or use `router check`"
            raise TooMuch(told) from None
        except BaseException:
            # Whoever does not wait for their answer must not leave it to the next.
            await self._end()
            raise
        _log.warning("trial_ended")
        raise TooMuch(
            "its process ended before it could answer; it may need more memory than there is for"
            " it, and the service's log may say more"
        )

    async def _exchange(self, process: Process, line: bytes, seconds: float) -> bytes:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("it was started without pipes")
        async with asyncio.timeout(seconds):
            try:
                process.stdin.write(line)
                await process.stdin.drain()
                answer = await process.stdout.readline()
            except (ConnectionError, ValueError):
                return b""
        return answer if answer.endswith(b"\n") else b""

    async def _start(self) -> Process:
        self.process = await start("router.trial")
        return self.process

    async def close(self) -> None:
        """End the process."""
        await self._end()

    async def _end(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            await end(process)


async def start(module: str) -> Process:
    """Start a module as a process that knows nothing of the environment but where things are."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", module),
        stdin=PIPE,
        stdout=PIPE,
        env=environment,
        limit=LONGEST,
    )


async def end(process: Process) -> None:
    """End a process at once."""
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself
        process.kill()
    await process.wait()
