"""The service: one process that receives, routes and sends, from start to stop.

Its threads are the writer, the worker's clock, the senders, the one that looks at the rules, and
the supervisor that keeps them alive; the event loop and the supervisor watch each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from router import __version__
from router.accept import Receipt, accept
from router.access import Access
from router.identity import Identity
from router.in_force import Rules
from router.ledger import LedgerUnavailable, Process, SharedClock, open_ledger
from router.loaded import Loaded
from router.log import Repeated, get_logger
from router.metrics import Metrics
from router.pools import CLOSING, RELOADS, Crowded, pools_that_stand_still
from router.readiness import Readiness, WriteCheck
from router.rules_watch import RulesWatch
from router.scheduler import THREADS, prove_threads
from router.server import Server
from router.supervisor import Supervisor
from router.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from router.identity import Deed
    from router.scheduler import Scheduler
    from router.secret import Redactor
    from router.settings import Settings
    from router.supervisor import Beat

Role = Literal["all", "receive", "deliver"]

RULES = "rules-watch"
RULES_SILENCE = 120.0
"""Seconds within which the rules on disk are read, checked and tested."""
LOOP_SILENCE = 20.0
"""Seconds that the event loop may be at one thing."""
TICK = 0.5
"""Seconds between two signs of life of the event loop."""
GAVE_UP = 70
"""The exit status of a process that could not be mended from within: start another."""
LAST = 10.0
"""Seconds, beside the time to drain, after which a process that gave up ends whatever it is at."""

_log = get_logger()


class Service:
    """The parts of one process, and their life together."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        read_file: Callable[[str], str],
        wall: Callable[[], float],
        redactor: Redactor,
        role: Role = "all",
        scheduler: Scheduler = THREADS,
    ) -> None:
        """Open the ledger and put the rules in force.

        `wall` is this machine's clock. The secrets of every ruleset are made known to `redactor`.
        Raises LedgerError, LedgerUnavailable or NoRules, in words for the operator.
        """
        self.settings = settings
        self.role = role
        self.now = now = SharedClock(wall, scheduler.monotonic)
        self.metrics = Metrics()
        existing = settings.database_expect == "existing"
        self.ledger = open_ledger(settings.database_url, now, scheduler, existing=existing)
        self.started_at = now()
        try:
            self.rules = Rules(settings, environment, read_file, self.ledger, redactor, scheduler)
        except BaseException:
            self.ledger.close()
            raise
        self.redactor = redactor
        self.access = Access(settings, self.ledger.people, now, self.audit)
        self.worker = Worker(self.ledger, self.rules, self.metrics, now, scheduler=scheduler)
        self.supervisor = Supervisor(scheduler, self._give_up, self._note_restart)
        self._write_check = WriteCheck(self.ledger.check_writable)
        self.stopping = False
        self.accepting = 0  # events that are being written down just now
        self._unwritten = Repeated("rules_unwritten")
        self._rules_watch = RulesWatch(self.rules, self._reload, scheduler)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None

    async def receive(self, body: bytes, source: str) -> Receipt:
        """Accept a posted body of a source; raises LedgerUnavailable if it is not on disk."""
        table = self.rules.current.table
        now = self.now()
        self.accepting += 1
        try:
            receipt = await accept(
                body, source, table=table, ledger=self.ledger, metrics=self.metrics, now=now
            )
        finally:
            self.accepting -= 1
        self.worker.heard(source, now)
        return receipt

    async def reload(self) -> Loaded:
        """Read the rules again, and put them in force if they are sound."""
        return await RELOADS.run(self._reload)

    def _reload(self) -> Loaded:
        loaded = self.rules.load()
        self._tell(loaded)
        if loaded.outcome == "changed":
            self._present()
            self.worker.wake()
        return loaded

    def audit(self, who: Identity, what: Deed, about: str = "", detail: str = "") -> None:
        """Write down that somebody did something; call it in a thread, once it is done.

        `about` is what it was done to (`delivery 17`, `channel kyc-team`), `detail` what else is
        to know (`with fresh words`, a reason). What is secret is taken out, in case.
        Raises LedgerUnavailable.
        """
        scrub = self.redactor.scrub
        named = msgspec.structs.replace(who, name=scrub(who.name))
        _log.info("deed", who=named.name, role=who.role, what=what, about=scrub(about))
        self.ledger.people.audit(named, what, scrub(about), scrub(detail))

    async def readiness(self) -> Readiness:
        """Say why this process should not be sent work."""
        reasons = [*self.supervisor.faults(), *self.ledger.lost()]
        if self.stopping:
            reasons.append("it is stopping")
        if self.role != "receive":
            reasons.extend(self.worker.clock.silent)
        if fault := await self._write_check.fault():
            reasons.append(fault)
        return Readiness(tuple(reasons))

    def longest_wait(self) -> float:
        """For how many seconds the oldest delivery of the ledger might have gone, whichever
        process it is that does not send it."""
        now = self.now()
        return self.ledger.due(now).longest_wait(self.rules.current.ruleset.channels, now)

    def start(self) -> None:
        """Begin to write, claim and send."""
        self.ledger.start(None if self.role == "receive" else self.worker, self.supervisor)
        self.supervisor.demand(self.ledger.lost, pools_that_stand_still)
        self._tell_opening()
        self._tell(self.rules.last)
        self._present()
        if self.role == "receive":
            self.now.keep(self.supervisor, THREADS)
        else:
            self.worker.start(self.supervisor)
        self.supervisor.keep(RULES, self._rules_watch.run, silence=RULES_SILENCE)
        self.supervisor.start()
        prove_threads(THREADS)

    def close(self) -> None:
        """Stop sending within the time for it, then let go of everything."""
        self.stopping = True
        self._rules_watch.stop()
        self.supervisor.release(RULES)
        drain = self.settings.drain
        left = 0 if self.role == "receive" else self.worker.stop(self.supervisor, drain)
        if left:
            _log.warning("stopped_while_sending", deliveries=left)
        if not self.ledger.close():
            _log.error("stopped_while_writing")
        self.rules.current.gateway.close()
        self.supervisor.stop()

    async def serve(self, app: Any, sockets: Sequence[socket.socket]) -> int:
        """Serve until SIGTERM or SIGINT: then not ready, stop claiming, finish, and return.

        Returns the exit status: 0, or GAVE_UP if the process could not be mended from within.
        """
        self._server = server = Server(
            app,
            proxies=self.settings.trusted_proxies,
            drain=self.settings.drain,
            max_body=self.settings.max_body,
            refused=self._note_refusal,
        )
        self._loop = loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGINT, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._rules_watch.ask)
        for stray in (signal.SIGUSR1, signal.SIGUSR2):  # what is sent by mistake ends nobody
            signal.signal(stray, signal.SIG_IGN)
        self.start()
        beat = self.supervisor.watch("event-loop", silence=LOOP_SILENCE)
        ticking = loop.create_task(self._tick(beat))
        try:
            await server.serve(sockets)
        finally:
            wanted = self.stopping
            ticking.cancel()
            self.supervisor.release("event-loop")
            try:
                await CLOSING.run(self.close)
            except Crowded:  # no thread to be had
                self.close()
        if self.supervisor.lost is not None or not wanted:
            _log.critical("ended", reason=self.supervisor.lost or "the server ended by itself")
            return GAVE_UP
        _log.info("stopped")
        return 0

    def _stop(self) -> None:
        _log.info("stopping")
        self.stopping = True
        if self._server is not None:
            self._server.stop()

    def _give_up(self, _reason: str) -> None:
        """End the process in order, or, if that takes too long, at once: in a thread that has
        nothing else to do any more, or by the event loop that has called it."""
        patience = self.settings.drain + LAST
        try:
            asyncio.get_running_loop().call_later(patience, os._exit, GAVE_UP)
        except RuntimeError:  # no loop runs in this thread
            if self._loop is not None:
                with contextlib.suppress(RuntimeError):  # the loop has ended already
                    self._loop.call_soon_threadsafe(self._stop)
            time.sleep(patience)
            os._exit(GAVE_UP)
        self._stop()

    def _note_refusal(self, reason: str) -> None:
        self.metrics.connections_refused.labels(reason).inc()

    def _note_restart(self, name: str) -> None:
        self.metrics.thread_restarts.labels(name).inc()

    async def _tick(self, beat: Beat) -> None:
        """Give signs of life, look after the supervisor, and let nobody wait who waits too long."""
        loop = asyncio.get_running_loop()
        while True:
            beat()
            self.ledger.refuse_late(loop)
            self.supervisor.ensure()
            await asyncio.sleep(TICK)

    def _present(self) -> None:
        """Tell the other processes who this is, and by which rules it goes."""
        process = Process(
            slot=self.ledger.slot,
            host=socket.gethostname(),
            pid=os.getpid(),
            role=self.role,
            version=__version__,
            started_at=self.started_at,
            ruleset=self.rules.current.ruleset.hash,
        )
        try:
            self.ledger.desk.present(process)
        except LedgerUnavailable as error:
            _log.error("ledger_unavailable", what="this process", reason=str(error))

    def _tell_opening(self) -> None:
        """Say what the ledger turned out to be, where that is not as usual."""
        identity = self.ledger.identity
        if identity is None or not identity.opening.text:
            return
        opening = identity.opening
        _log.warning("database_noticed", kind=opening.kind, text=opening.text)
        if opening.kind != "moved":
            router = Identity("router", "operator", "command")
            self.audit(router, "database noticed", opening.kind, opening.text)

    def _tell(self, loaded: Loaded) -> None:
        self.metrics.reload_successful.set(1 if loaded.is_in_force else 0)
        current = self.rules.current.ruleset
        if loaded.outcome == "unwritten":
            reason = f"the database does not take them: {loaded.fault}"
            self._unwritten.warn("the rules on disk", reason)
            return
        self._unwritten.over("the rules on disk")
        if loaded.is_in_force:
            self.metrics.reload_at.set(self.now())
            _log.info("rules_in_force", ruleset=current.hash, outcome=loaded.outcome)
        else:
            text = loaded.report(self.settings.rules)
            _log.error("rules_broken", ruleset=current.hash, problems=text)
