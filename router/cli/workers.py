"""Several processes on one machine: they share one listening socket and one database."""

from __future__ import annotations

import os
import signal
import socket
import time
import traceback
from functools import partial
from typing import TYPE_CHECKING

from router.cli.edge import listen, write_error
from router.scheduler import THREADS, NoThread

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.settings import Settings

PAUSES = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds before another process is started, longer each time when the last one ended young."""
YOUNG = 10.0
"""Seconds that a process has to live to show that settings, rules and database are as they should
be. If none ever has and one says that it cannot start, the others would say the same."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
CANNOT_START = 1
GAVE_UP = 70
"""The exit status of a process that an exception ended, as of one that gave itself up."""


def run_workers(settings: Settings, count: int, run: Callable[[list[socket.socket]], None]) -> int:
    """Start `count` processes, start another when one ends, stop all on SIGTERM.

    Returns the exit status: 0 when all stopped as asked.
    """
    listening = listen(settings)
    lifeline = os.pipe()
    return _Workers(count, lambda: _fork(run, listening, lifeline)).run()


class _Workers:
    """The processes: when each began, by its number."""

    def __init__(self, count: int, fork: Callable[[], int]) -> None:
        self._count = count
        self._fork = fork
        self._began: dict[int, float] = {}
        self._stopping = False
        self._proven = False
        self._young = 0

    def run(self) -> int:
        # Before the first process: a stop that comes while they start leaves none behind.
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGHUP, self._pass_on)
        for _ in range(self._count):
            self._start()
        worst = 0
        while self._began:
            child, status = os.wait()
            began = self._began.pop(child, None)
            if began is None:
                continue
            code = os.waitstatus_to_exitcode(status)
            if self._stopping:
                # One that had not yet begun to listen for it is ended by the signal itself.
                worst = worst or (0 if code == -signal.SIGTERM else abs(code))
            elif not self._goes_on(code, time.monotonic() - began):
                self._stop(signal.SIGTERM, None)
                worst = CANNOT_START
            else:
                self._start_another(child, code)
        return worst

    def _goes_on(self, code: int, lived: float) -> bool:
        """Whether another process is worth starting after one that ended so."""
        self._proven = self._proven or lived >= YOUNG
        self._young = 0 if lived >= YOUNG else self._young + 1
        return self._proven or code != CANNOT_START

    def _start_another(self, child: int, code: int) -> None:
        pause = PAUSES[min(self._young, len(PAUSES)) - 1] if self._young else PAUSES[0]
        write_error(f"process {child} ended ({code}); starting another in {pause:g} s")
        end = time.monotonic() + pause
        while not self._stopping and time.monotonic() < end:
            time.sleep(0.05)
        self._start()

    def _start(self) -> None:
        """Start a process, unless all are to stop; a signal sees it either not at all or known."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            if not self._stopping:
                self._began[self._fork()] = time.monotonic()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping = True
        self._pass_on(signal.SIGTERM, None)

    def _pass_on(self, number: int, _frame: object) -> None:
        for child in list(self._began):
            os.kill(child, number)


def _fork(
    run: Callable[[list[socket.socket]], None],
    listening: socket.socket,
    lifeline: tuple[int, int],
) -> int:
    child = os.fork()
    if child:
        return child
    # Until it listens for them itself, a stop ends it, and there are no rules yet to read again.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    code = GAVE_UP
    try:
        os.close(lifeline[1])
        THREADS.start("lifeline", partial(_outlive_nobody, lifeline[0]))
        run([listening])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else CANNOT_START
    except NoThread as error:
        write_error(f"it cannot start: {error}")
        code = CANNOT_START
    except BaseException:  # noqa: BLE001 - this process has nobody else to say it
        traceback.print_exc()
    finally:
        os._exit(code)


def _outlive_nobody(lifeline: int) -> None:
    """Stop when the first process is gone, however it ended: nobody would start another one."""
    os.read(lifeline, 1)  # nobody ever writes: it returns when the last writer has gone
    os.kill(os.getpid(), signal.SIGTERM)
