"""Pools of threads for what waits: each kind of work has its own, and a bound on what waits for it.

So pages that ask slow questions take nothing from who logs in, from readiness, from accepting or
from sending; and whoever would wait too long is told at once.
"""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class Crowded(Exception):
    """Too much waits already; nothing was done. `wait`: seconds after which to try again."""

    def __init__(
        self, wait: float, text: str = "too many ask just now; try again in a moment"
    ) -> None:
        super().__init__(text)
        self.wait = wait


class Pool:
    """So many threads, so many calls that may wait for one, and no longer than `patience`."""

    def __init__(
        self, name: str, *, threads: int, waiting: int, wait: float, patience: float | None = None
    ) -> None:
        """`wait` is what those who get no thread are told to wait; both times are seconds."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most = threads + waiting
        self._wait = wait
        self._patience = patience
        self._taken = 0

    async def run(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run a function in a thread of the pool.

        Raises Crowded, and nothing was done, if too much waits already or no thread comes in time.
        """
        if self._taken >= self._most:
            raise Crowded(self._wait)
        context = contextvars.copy_context()
        call = self._threads.submit(partial(context.run, function, *arguments, **named))
        self._taken += 1
        answer: asyncio.Future[T] = asyncio.wrap_future(call)
        # A caller who goes away leaves its thread at work: the place is free when that ends.
        answer.add_done_callback(self._free)
        try:
            await asyncio.wait({answer}, timeout=self._patience)
        except asyncio.CancelledError:
            call.cancel()  # whoever asked has gone: what has not begun need not
            raise
        if not answer.done() and call.cancel():
            raise Crowded(self._wait)
        return await asyncio.shield(answer)

    def _free(self, answer: asyncio.Future[Any]) -> None:
        self._taken -= 1
        if not answer.cancelled():
            answer.exception()  # seen: whoever asked may have gone


PAGES = Pool("pages", threads=8, waiting=64, wait=2.0, patience=10.0)
"""Pages, the API and what operators do."""
SESSIONS = Pool("sessions", threads=2, waiting=512, wait=2.0, patience=5.0)
"""Sessions and named tokens that are looked up: short, and at the door of every page and call."""
PASSWORDS = Pool("passwords", threads=1, waiting=8, wait=2.0, patience=10.0)
"""Passwords of scripts: argon2 takes 64 MiB and a core for each."""
LOGINS = Pool("logins", threads=1, waiting=8, wait=2.0, patience=10.0)
"""Passwords of people who log in: scripts that send wrong ones do not stand before them."""
FORMS = Pool("forms", threads=1, waiting=16, wait=2.0, patience=5.0)
"""Forms that are large: to take their quoting away needs up to a third of a second."""
READINESS = Pool("readiness", threads=1, waiting=1, wait=1.0)
"""Whether the database can be written: one check at a time, for all who ask."""
SERVICE = Pool("service", threads=2, waiting=16, wait=5.0)
"""What the service itself does now and then: to read rules, to close."""
