"""Whether a process may be sent work, and whether it can write: asked once for all who ask.

Probes and strangers may ask as often as they like: what they cause is ten written rows a second at
most, and what is said is never of before it was asked.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from router.ledger import LedgerUnavailable
from router.pools import READINESS, Crowded, NoPoolThread

if TYPE_CHECKING:
    from collections.abc import Callable

APART = 0.1
"""Seconds from the beginning of one check to that of the next."""
CHECK_WITHIN = 5.0
"""Seconds after which a database that has not answered is said not to."""
_NO_ANSWER = "it cannot write: the database does not answer"


class Readiness(msgspec.Struct, frozen=True):
    """Whether the process may be sent work: `reasons` why not, none if it may."""

    reasons: tuple[str, ...]


class WriteCheck:
    """Writes a row, for one event loop. Whoever asks is told by a check that began after they did,
    together with all who ask until it begins."""

    def __init__(self, check: Callable[[], None]) -> None:
        """`check` writes it, or raises LedgerUnavailable."""
        self._check = check
        self._next: asyncio.Task[str | None] | None = None
        self._last: asyncio.Task[str | None] | None = None
        self._began = -APART

    async def fault(self) -> str | None:
        """Say in a clause that it cannot be written, or is not known to be, and why; None if it
        can."""
        if self._next is None:
            self._next = asyncio.create_task(self._ask(self._last))
        asking = self._next
        await asyncio.wait({asking}, timeout=CHECK_WITHIN)
        return asking.result() if asking.done() else _NO_ANSWER

    async def _ask(self, last: asyncio.Task[str | None] | None) -> str | None:
        if last is not None:
            await asyncio.wait({last})
        await asyncio.sleep(max(0.0, self._began + APART - time.monotonic()))
        self._began = time.monotonic()
        self._last, self._next = self._next, None
        try:
            await READINESS.run(self._check)
        except LedgerUnavailable as error:
            return f"it cannot write: {error}"
        except NoPoolThread as none:
            return f"whether it can write cannot be asked: {none}"
        except Crowded:
            return _NO_ANSWER
        return None
