"""Backtests of edited rules: each in a process of its own, its state in the ledger."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Literal

import msgspec

from router.ledger import LedgerUnavailable
from router.log import get_logger
from router.pools import BACKTESTS
from router.trial.aside import end, start
from router.trial.question import Progress, Rerun

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from router.ledger import Ledger

MAX_RUNNING = 2
"""So many run in one process of the service at once."""
SECONDS = 900.0
"""So long each may take, even if nobody waits for it any more."""
LOOK = 2.0
"""Seconds between two looks at whether it is still wanted, while it tells nothing."""
GONE = "its process ended before it was done: it needs more memory or time than there is for it"

_log = get_logger()


class Busy(Exception):
    """No more can run here now; the text says what to do."""


class Backtests:
    """Those that run in this process of the service."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._running: set[asyncio.Task[None]] = set()
        self._places = MAX_RUNNING

    async def begin(self, who: str, wanted: Rerun) -> None:
        """Begin somebody's backtest; one that they began before is ended. Raises Busy."""
        await BACKTESTS.run(self._ledger.backtests.cancel, who)
        if not self._places:
            raise Busy(
                f"{MAX_RUNNING} backtests run already; begin yours when one of them has ended"
            )
        self._places -= 1
        try:
            mark = secrets.token_hex(8)
            await BACKTESTS.run(self._ledger.backtests.begin, who, mark, wanted.since)
        except BaseException:
            self._places += 1
            raise
        task = asyncio.create_task(self._run(who, mark, wanted))
        self._running.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._places += 1

    async def _run(self, who: str, mark: str, wanted: Rerun) -> None:
        try:
            process = await start("router.trial.rerun")
            try:
                async with asyncio.timeout(SECONDS):
                    last = await self._follow(process, who, mark, wanted)
            except TimeoutError:
                last = Progress(0, 0, fault=f"it takes longer than {SECONDS / 60:.0f} minutes")
            finally:
                await end(process)
            if last is not None:
                state: Literal["failed", "done"] = "failed" if last.fault else "done"
                result = last.fault or msgspec.json.encode(last.found).decode()
                backtests = self._ledger.backtests
                await BACKTESTS.run(backtests.end, who, mark, state, result)
        except LedgerUnavailable as error:
            _log.error("ledger_unavailable", what="a backtest", reason=str(error))

    async def _follow(
        self, process: Process, who: str, mark: str, wanted: Rerun
    ) -> Progress | None:
        """Note how far it is, until its end; None if it is not wanted any more."""
        if process.stdin is None or process.stdout is None:
            raise AssertionError("it was started without pipes")
        last = Progress(0, 0)
        process.stdin.write(msgspec.json.encode(wanted) + b"\n")
        reading = asyncio.create_task(process.stdout.readline())
        try:
            while True:
                await asyncio.wait({reading}, timeout=LOOK)
                if reading.done():
                    try:
                        line = reading.result()
                    except (ConnectionError, ValueError):
                        line = b""
                    if not line.endswith(b"\n"):
                        return Progress(0, 0, fault=GONE)
                    last = msgspec.json.decode(line, type=Progress)
                    if last.ended:
                        return last
                    reading = asyncio.create_task(process.stdout.readline())
                note = self._ledger.backtests.note
                if not await BACKTESTS.run(note, who, mark, last.done, last.total):
                    return None
        finally:
            reading.cancel()
