"""Pools of threads for what waits: each kind of work has its own, and a bound on what waits for it.

So pages that ask slow questions take nothing from who logs in, from readiness, from accepting or
from sending; and whoever would wait too long is told at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from router.scheduler import THREADS, NoThread

if TYPE_CHECKING:
    from router.scheduler import Queue, Thread

P = ParamSpec("P")
T = TypeVar("T")

STANDS_STILL = 180.0
"""Seconds after which a call that has not ended never will."""


class Crowded(Exception):
    """Too much waits already; nothing was done. `wait`: seconds after which to try again."""

    title = "too many ask at once"

    def __init__(
        self, wait: float, text: str = "too many ask just now; try again in a moment"
    ) -> None:
        super().__init__(text)
        self.wait = wait


class NoPoolThread(Crowded):
    """The pool has no thread, and the system gives it none."""

    title = "there is no thread to be had"


class _Call:
    """What a thread is asked to do, and whether it is through with it, however it went."""

    __slots__ = ("ended", "result", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.result: Future[Any] = Future()
        self.work = work
        self.ended = False


class Pool:
    """So many threads, so many calls that may wait for one, and no longer than `patience`.

    A thread that is at one call for longer than `longest` is written off, and another takes its
    place. Not an executor of the standard library: one of those never replaces a thread.
    """

    def __init__(
        self,
        name: str,
        *,
        threads: int,
        waiting: int,
        wait: float,
        patience: float | None = None,
        longest: float | None = STANDS_STILL,
    ) -> None:
        """`wait` is what those who get no thread are told to wait; all times are seconds."""
        self.name = name
        self._most_threads = threads
        self._most = threads + waiting
        self._wait = wait
        self._patience = patience
        self._longest = longest
        self._begun: set[_Call] = set()
        self._written_off: set[_Call] = set()  # what threads took that stand still
        self._calls: Queue[_Call] = THREADS.queue()
        self._threads: list[Thread] = []
        self._taken = 0

    async def run(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run a function in a thread of the pool.

        Raises Crowded if too much waits already or no thread comes in time, and nothing was done;
        and if it does not end in time.
        """
        if self._taken >= self._most:
            raise Crowded(self._wait)
        self._ensure_thread()
        context = contextvars.copy_context()
        call = _Call(partial(context.run, function, *arguments, **named))
        self._calls.put(call)
        self._taken += 1
        answer: asyncio.Future[T] = asyncio.wrap_future(call.result)
        # A caller who goes away leaves its thread at work: the place is free when that ends.
        answer.add_done_callback(self._free)
        if self._longest is not None:
            late = asyncio.get_running_loop().call_later(self._longest, self._write_off, call)
            answer.add_done_callback(lambda _: late.cancel())
        try:
            await asyncio.wait({answer}, timeout=self._patience)
        except asyncio.CancelledError:
            call.result.cancel()  # whoever asked has gone: what has not begun need not
            raise
        if not answer.done() and call.result.cancel():
            # Either a thread took it and went no further, or one that is at nothing does not.
            at_work = sum(not one.result.done() for one in list(self._begun))
            if call in self._begun or self._moving() > at_work:
                self._lose(call)
            raise Crowded(self._wait)
        return await asyncio.shield(answer)

    def stands_still(self) -> bool:
        """Whether so many threads do that no more of them can be the answer."""
        return len(self._written_off) > self._most_threads

    def _write_off(self, call: _Call) -> None:
        if call.result.running():
            late = Crowded(self._wait, "it took too long; try again in a moment")
            with contextlib.suppress(InvalidStateError):  # it has just ended after all
                call.result.set_exception(late)
                self._lose(call)

    def _lose(self, call: _Call) -> None:
        self._written_off.add(call)
        self._begun.discard(call)
        if call.ended:  # meanwhile: its thread has looked already whether it is written off
            self._written_off.discard(call)

    def _moving(self) -> int:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        return len(self._threads) - len(self._written_off)

    def _ensure_thread(self) -> None:
        """Have as many threads as there are calls, within bounds; raises NoPoolThread if there is
        none at all."""
        moving = self._moving()
        if moving >= min(self._most_threads, self._taken + 1):
            return
        try:
            self._threads.append(THREADS.start(self.name, self._serve))
        except NoThread as none:
            if moving < 1:  # else those that move do it all, one after the other
                raise NoPoolThread(self._wait, str(none)) from None

    def _serve(self) -> None:
        while True:
            call = self._calls.get()
            self._begun.add(call)
            try:
                if call.result.set_running_or_notify_cancel():
                    _work(call.result, call.work)
            except InvalidStateError:
                pass  # it was written off, and moves again
            finally:
                call.ended = True
                self._begun.discard(call)
                self._written_off.discard(call)

    def _free(self, answer: asyncio.Future[Any]) -> None:
        self._taken -= 1
        if not answer.cancelled():
            answer.exception()  # seen: whoever asked may have gone


def _work(result: Future[Any], work: Callable[[], Any]) -> None:
    try:
        value = work()
    except Exception as error:  # noqa: BLE001 - it is whoever asked who handles it
        result.set_exception(error)
    except BaseException as error:  # noqa: BLE001 - a SystemExit would end the event loop
        result.set_exception(RuntimeError(f"it was ended by {error!r}"))
    else:
        result.set_result(value)


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
STRANGERS_FORMS = Pool("strangers-forms", threads=1, waiting=16, wait=2.0, patience=5.0)
"""Large forms of those who have proved nothing yet, which are read with pauses: operators' forms do
not stand behind them."""
READINESS = Pool("readiness", threads=1, waiting=1, wait=1.0, patience=5.0, longest=30.0)
"""Whether the database can be written: one check at a time, for all who ask."""
BACKTESTS = Pool("backtests", threads=1, waiting=16, wait=2.0, patience=60.0)
"""What backtests write down of how far they are: no crowd of viewers breaks one off."""
RELOADS = Pool("reloads", threads=1, waiting=8, wait=5.0, patience=60.0)
"""To read rules when somebody asks for it."""
CLOSING = Pool("closing", threads=1, waiting=0, wait=5.0, longest=None)
"""To close: nothing else ever has its thread."""


def pools_that_stand_still() -> tuple[str, ...]:
    """The pools whose threads stand still, one after the other, in words."""
    pools = (
        *(PAGES, SESSIONS, PASSWORDS, LOGINS, FORMS, STRANGERS_FORMS),
        *(READINESS, BACKTESTS, RELOADS),
    )
    return tuple(
        f"the threads of `{pool.name}` stand still" for pool in pools if pool.stands_still()
    )
