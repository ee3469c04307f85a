"""Asking the process aside: it is started when it is needed, and stopped when it takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Hashable
from typing import NamedTuple

import msgspec

from router.log import get_logger
from router.pools import Crowded
from router.trial.question import Answer, Question
from router.trial.turns import Turns

SECONDS = 10.0
"""So long an answer may take while nobody else waits."""
SHARED = 3.0
"""So long it may take while another viewer waits."""
PATIENCE = 10.0
"""So long anybody waits for their turn: then they are told."""
STARTING = 20.0
"""So long the process may take to start; nobody's patience goes on meanwhile."""
MAX_WAITING = 16
MAX_OF_ONE = 6
"""Questions of one viewer that wait, over all their pages."""
RETRY_AFTER = 10.0
"""Seconds after which those who got no turn are told to try again."""
_AGAIN = f"try again in {RETRY_AFTER:.0f} seconds"
CROWDED = f"others are trying rules just now; {_AGAIN}"
CROWDED_ALONE = f"what you are trying already takes long; {_AGAIN}"
MAX_ANSWER = 32 * 1024**2
READY = b"ready\n"
"""What the process says once it can be asked."""
KEPT = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONTZPATH", "TZDIR", "TMPDIR")
"""What such a process is told of the environment: nothing that could be secret."""

_log = get_logger()


class TooMuch(Exception):
    """There is no answer; the text says why, and what to do."""


class _Asking(NamedTuple):
    """The question that is being answered: whose it is, since when, and until when it may be."""

    viewer: Hashable
    began: float
    bound: asyncio.Timeout


class Aside:
    """One process aside, and those who wait for it in turn."""

    def __init__(self, seconds: float = SECONDS, shared: float = SHARED) -> None:
        self._seconds = seconds
        self._shared = shared
        self.process: Process | None = None
        self._turn = Turns()
        self._asking: _Asking | None = None
        self._latest: dict[Hashable, object] = {}
        self._viewers: dict[Hashable, int] = {}

    async def ask(
        self, who: Hashable, question: Question, viewer: Hashable = None
    ) -> Answer | None:
        """Ask; None if the same page (`who`) asked anew before it was its turn.

        Turns are given by `viewer`, however many pages they have. Raises Crowded if too many
        wait or no turn comes in time, TooMuch if the answer takes too long or too much memory.
        """
        mine_waiting = self._viewers.get(viewer, 0)
        if mine_waiting >= MAX_OF_ONE:
            raise Crowded(RETRY_AFTER, CROWDED_ALONE)
        if sum(self._viewers.values()) >= MAX_WAITING:
            raise Crowded(RETRY_AFTER, CROWDED)
        mine = self._latest[who] = object()
        self._viewers[viewer] = mine_waiting + 1
        self._hasten(viewer)
        try:
            async with self._turn.of(viewer, PATIENCE):
                if self._latest.get(who) is not mine:
                    return None
                return await self._answer(msgspec.json.encode(question) + b"\n", viewer)
        except TimeoutError:
            alone = self._is_alone(viewer)
            raise Crowded(RETRY_AFTER, CROWDED_ALONE if alone else CROWDED) from None
        finally:
            self._viewers[viewer] -= 1
            if not self._viewers[viewer]:
                del self._viewers[viewer]
            if self._latest.get(who) is mine:
                del self._latest[who]

    def _hasten(self, viewer: Hashable) -> None:
        """Another viewer waits: what is being answered has less time from now on."""
        asking = self._asking
        if asking is not None and asking.viewer != viewer and not asking.bound.expired():
            until, now = asking.began + self._shared, asyncio.get_running_loop().time()
            asking.bound.reschedule(max(now, min(until, asking.bound.when() or until)))

    def _is_alone(self, viewer: Hashable) -> bool:
        """Whether nobody else asks or waits."""
        return set(self._viewers) <= {viewer}

    async def _answer(self, line: bytes, viewer: Hashable) -> Answer:
        try:
            for _ in range(2):  # one that ended because nobody asked is started again
                fresh = self.process is None
                process = self.process or await self._start()
                answer = await self._exchange(process, line, viewer)
                if answer:
                    return msgspec.json.decode(answer, type=Answer)
                await self._end()
                if fresh:
                    break
        except BaseException:
            # Whoever does not wait for their answer must not leave it to the next.
            await self._end()
            raise
        _log.warning("trial_ended")
        raise TooMuch(
            "its process ended before it could answer; it may need more memory than there is for"
            " it, and the service's log may say more"
        )

    async def _exchange(self, process: Process, line: bytes, viewer: Hashable) -> bytes:
        """What the process answers; nothing if it has ended."""
        if process.stdin is None or process.stdout is None:
            raise AssertionError("it was started without pipes")
        began = asyncio.get_running_loop().time()
        seconds = self._seconds if self._is_alone(viewer) else self._shared
        bound = asyncio.timeout_at(began + seconds)
        try:
            async with bound:
                self._asking = _Asking(viewer, began, bound)
                try:
                    process.stdin.write(line)
                    await process.stdin.drain()
                    answer = await process.stdout.readline()
                except (ConnectionError, ValueError):
                    return b""
                finally:
                    self._asking = None
        except TimeoutError:
            told = f"{self._seconds:g} seconds"
            if (bound.when() or began) < began + self._seconds:
                told = f"{self._shared:g} seconds, and others wait"
            advice = "try less, or use `router check`"
            raise TooMuch(f"it takes longer than {told}; {advice}") from None
        return answer if answer.endswith(b"\n") else b""

    async def _start(self) -> Process:
        with self._turn.uncounted(STARTING):
            process = self.process = await start("router.trial")
            if process.stdout is None:
                raise AssertionError("it was started without pipes")
            try:
                async with asyncio.timeout(STARTING):
                    await process.stdout.readline()
            except TimeoutError:
                raise TooMuch("its process does not start; the machine is too busy") from None
        return process

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
        limit=MAX_ANSWER,
    )


async def end(process: Process) -> None:
    """End a process at once."""
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself
        process.kill()
    await process.wait()
