"""One replica: the whole service in a simulated process, from its start to its end."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, cast

from router.ledger import LedgerError, LedgerUnavailable
from router.loaded import NoRules
from router.secret import Redactor
from router.service import LOOP_SILENCE, Service
from simulation.loop import SimulatedLoop

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.scheduler import Reply
    from router.settings import Settings
    from simulation.process import Process
    from simulation.scheduler import SimulatedEvent, SimulatedScheduler

PROBE = 2.0
"""Seconds between two questions whether it is ready."""
WRITABLE = 5.0
"""Seconds after which /readyz says that the database does not answer."""
Answered = tuple[int, int | None]
"""A status, and the id of the event that was accepted."""


class SimulatedService(Service):
    """The service, whose last resort ends a simulated process."""

    exit: Callable[[str], None]

    def _give_up(self, reason: str) -> None:
        self.exit(reason)


class Replica:
    """A process that runs the service; `on_exit` is told why it ended by itself."""

    def __init__(
        self,
        process: Process,
        scheduler: SimulatedScheduler,
        settings: Settings,
        environment: dict[str, str],
        on_exit: Callable[[Replica, str], None],
    ) -> None:
        self.process = process
        self.service: SimulatedService | None = None
        self.loop: SimulatedLoop | None = None
        self.serving = False
        self._scheduler = scheduler
        self._settings = settings
        self._environment = environment
        self._on_exit = on_exit
        self._stop: asyncio.Event | None = None
        self._open: dict[Reply[Answered], asyncio.Task[None] | None] = {}
        self._unwritable: str | None = None
        self._asked_at: float | None = None
        process.baton.start_in(process, "main", self._main)

    def post(self, body: bytes, reply: Reply[Answered]) -> None:
        """Have a body accepted; called in another process' thread, as a request comes in."""
        if self.loop is None or not self.serving:
            reply.resolve((0, None))
            return
        self._open[reply] = None
        self.loop.call_soon_threadsafe(self._begin, body, reply)

    def stop(self) -> None:
        """End in order, as SIGTERM asks for."""
        if self.loop is not None and self._stop is not None:
            self.loop.call_soon_threadsafe(self._stop.set)

    def kill(self) -> None:
        """End at once: nothing more of it runs, and the system takes back what it held."""
        process = self.process
        if process.dead:
            return
        process.dead = True
        process.frozen_until = 0.0
        self.serving = False
        for connection in process.connections:
            sqlite3.Connection.close(connection)
        slots = self.service.ledger._slots if self.service is not None else None
        if slots is not None and slots._file is not None:
            slots._file.close()
        for reply in self._open:  # the system closes its connections
            reply._value = (0, None)
            cast("SimulatedEvent", reply._event).set_at_once()
        process.baton.end_threads(process)

    def close(self) -> None:
        """Let go of the event loop, once all threads have ended."""
        if self.loop is not None:
            self.loop.set_exception_handler(lambda *_: None)
            self.loop.close()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not ready, as /readyz says it, without asking the database."""
        service = self.service
        if service is None or not self.serving or service.stopping:
            return ("it does not serve",)
        reasons = [
            *service.supervisor.faults(),
            *service.ledger.lost(),
            *service.worker.clock.silent,
        ]
        if self._unwritable is not None:
            reasons.append(f"it cannot write: {self._unwritable}")
        elif self._asked_at is not None and self.process.baton.now - self._asked_at > WRITABLE:
            reasons.append("it cannot write: the database does not answer")
        return tuple(reasons)

    def _main(self) -> None:
        self.loop = SimulatedLoop(self._scheduler)
        try:
            self.service = SimulatedService(
                self._settings,
                self._environment,
                _no_file,
                self.process.now,
                Redactor(()),
                scheduler=self._scheduler,
            )
            self.service.exit = self._give_up
            self.service.start()
            self.loop.run_until_complete(self._serve())
        except (LedgerUnavailable, LedgerError, NoRules, RuntimeError, OSError) as error:
            self._on_exit(self, f"could not start: {type(error).__name__}: {error}")
            return
        self._on_exit(self, "")

    async def _serve(self) -> None:
        service, loop = self.service, self.loop
        if service is None or loop is None:
            raise AssertionError("it was not started")
        self._stop = asyncio.Event()
        beat = service.supervisor.watch("event-loop", silence=LOOP_SILENCE)
        ticking = loop.create_task(service._tick(beat))
        self.serving = True
        self._scheduler.start("readiness", self._ask_readiness)
        await self._stop.wait()
        self.serving = False
        service.stopping = True
        ticking.cancel()
        service.supervisor.release("event-loop")
        closed = asyncio.Event()

        def close() -> None:
            service.close()
            loop.call_soon_threadsafe(closed.set)

        self._scheduler.start("closing", close)
        await closed.wait()

    def _ask_readiness(self) -> None:
        """Ask again and again whether it can write, as probes of /readyz do."""
        service = self.service
        while service is not None and self.serving:
            self._asked_at = self.process.baton.now
            try:
                service.ledger.check_writable()
            except LedgerUnavailable as error:
                self._unwritable = str(error)
            else:
                self._unwritable = None
            self._asked_at = None
            self._scheduler.sleep(PROBE)

    def _begin(self, body: bytes, reply: Reply[Answered]) -> None:
        if self.loop is not None:
            self._open[reply] = self.loop.create_task(self._answer(body, reply))

    async def _answer(self, body: bytes, reply: Reply[Answered]) -> None:
        if self.service is None:
            raise AssertionError("it was not started")
        try:
            receipt = await self.service.receive(body, "atfinity")
        except LedgerUnavailable:
            reply.resolve((503, None))
        else:
            reply.resolve((202, receipt.event))
        self._open.pop(reply, None)

    def _give_up(self, reason: str) -> None:
        self._on_exit(self, f"gave up: {reason}")


def _no_file(path: str) -> str:
    raise FileNotFoundError(path)
