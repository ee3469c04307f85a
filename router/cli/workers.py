"""Several processes on one machine: they share one listening socket and one database."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import click

from router.cli.edge import listen

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.settings import Settings


def run_workers(settings: Settings, count: int, run: Callable[[list[socket.socket]], None]) -> int:
    """Start `count` processes, start another when one dies, stop all on SIGTERM.

    Returns the exit status: 0 when all stopped as told.
    """
    listening = listen(settings)
    children: set[int] = set()
    stopping: list[int] = []

    def stop(number: int, _frame: object) -> None:
        stopping.append(number)
        for child in children:
            os.kill(child, signal.SIGTERM)

    def pass_on(number: int, _frame: object) -> None:
        for child in children:
            os.kill(child, number)

    for _ in range(count):
        children.add(_fork(run, listening))
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, pass_on)
    worst = 0
    while children:
        child, status = os.wait()
        children.discard(child)
        code = os.waitstatus_to_exitcode(status)
        if stopping:
            # One that had not yet begun to listen for it is ended by the signal itself.
            worst = worst or (0 if code == -signal.SIGTERM else abs(code))
            continue
        if code in {0, 1}:
            # It said why; the others would say the same.
            stop(signal.SIGTERM, None)
            worst = 1
            continue
        click.echo(f"process {child} ended ({code}); starting another", err=True)
        time.sleep(0.5)
        children.add(_fork(run, listening))
    return worst


def _fork(run: Callable[[list[socket.socket]], None], listening: socket.socket) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        run([listening])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(code)
