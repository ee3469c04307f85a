"""Whether a process may be sent work, and whether it can write: asked once for all who ask.

Probes and strangers may ask as often as they like: what they cause is one written row in each
half second, and none of them makes another wait.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from router.ledger import LedgerUnavailable
from router.pools import READINESS, Crowded

if TYPE_CHECKING:
    from collections.abc import Callable

CHECK_HOLDS = 0.5
"""Seconds for which what a check said is told to others too."""
CHECK_WITHIN = 5.0
"""Seconds after which a database that has not answered is said not to."""


class Readiness(msgspec.Struct, frozen=True):
    """Whether the process may be sent work: `reasons` why not, none if it may."""

    reasons: tuple[str, ...]


class WriteCheck:
    """Writes a row, for one event loop."""

    def __init__(self, check: Callable[[], None]) -> None:
        """`check` writes it, or raises LedgerUnavailable."""
        self._check = check
        self._asking: asyncio.Task[str | None] | None = None
        self._began = 0.0

    async def fault(self) -> str | None:
        """Say why it cannot be written, None if it can."""
        now = time.monotonic()
        asking = self._asking
        if asking is None or (asking.done() and now - self._began > CHECK_HOLDS):
            asking = self._asking = asyncio.create_task(self._ask())
            self._began = now
        await asyncio.wait({asking}, timeout=max(0.0, self._began + CHECK_WITHIN - now))
        return asking.result() if asking.done() else "the database does not answer"

    async def _ask(self) -> str | None:
        try:
            await READINESS.run(self._check)
        except LedgerUnavailable as error:
            return str(error)
        except Crowded:
            return "the database does not answer"
        return None
