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

    def __init__(self, wait: float) -> None:
        super().__init__("too many ask at once; try again in a moment")
        self.wait = wait


class Pool:
    """So many threads, and so many calls that may wait for one."""

    def __init__(self, name: str, *, threads: int, waiting: int, wait: float) -> None:
        """`wait` is what those beyond are told to wait, in seconds."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most = threads + waiting
        self._wait = wait
        self._taken = 0

    async def run(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run a function in a thread of the pool; raises Crowded if too much waits already."""
        if self._taken >= self._most:
            raise Crowded(self._wait)
        context = contextvars.copy_context()
        call: Callable[[], Any] = partial(context.run, function, *arguments, **named)
        self._taken += 1
        try:
            future = asyncio.get_running_loop().run_in_executor(self._threads, call)
        except BaseException:
            self._taken -= 1
            raise
        # A caller who goes away leaves its thread at work: the place is free when that ends.
        future.add_done_callback(self._free)
        result: T = await asyncio.shield(future)
        return result

    def _free(self, future: asyncio.Future[Any]) -> None:
        self._taken -= 1
        if not future.cancelled():
            future.exception()  # seen: whoever asked may have gone


PAGES = Pool("pages", threads=8, waiting=64, wait=2.0)
"""Pages, the API and what operators do."""
PASSWORDS = Pool("passwords", threads=1, waiting=8, wait=2.0)
"""Passwords: argon2 takes 64 MiB and a core for each."""
FORMS = Pool("forms", threads=1, waiting=16, wait=2.0)
"""Forms that are large: to take their quoting away needs up to a third of a second."""
READINESS = Pool("readiness", threads=2, waiting=8, wait=1.0)
"""Whether the database can be written: asked by probes."""
SERVICE = Pool("service", threads=2, waiting=16, wait=5.0)
"""What the service itself does now and then: to read rules, to close."""
