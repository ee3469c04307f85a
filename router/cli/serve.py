"""router serve"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn, cast

import click

from router.cli.edge import fail, listen, read_text, settings_now

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from router.service import Role
    from router.settings import Settings


@click.command()
@click.option(
    "--role",
    type=click.Choice(["all", "receive", "deliver"]),
    default="all",
    show_default=True,
    help="Take events in and send (all), or only one of it.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes on this machine that share the work.",
)
def command(role: str, workers: int) -> None:
    """Run the service until SIGTERM.

    \b
    Example:
      ROUTER_OUTBOUND=capture router serve
      ROUTER_HOST=0.0.0.0 ROUTER_ADMIN_PASSWORD_FILE=/run/secrets/password router serve
    """
    _end_by_signals()
    settings = settings_now()
    if workers > 1:
        from router.cli.workers import run_workers  # noqa: PLC0415 - only where it is asked for

        sys.exit(run_workers(settings, workers, lambda s: run(settings, cast("Role", role), s)))
    run(settings, cast("Role", role))


def run(settings: Settings, role: Role, sockets: Sequence[socket.socket] | None = None) -> NoReturn:
    """Serve in this process, and end it: in words with 1 if it cannot start, with 0 if it was
    told to stop, with GAVE_UP if another one should be started."""
    _end_by_signals()

    import uvloop  # noqa: PLC0415 - not for `--help`

    from router.ledger import LedgerError, LedgerUnavailable  # noqa: PLC0415
    from router.loaded import NoRules  # noqa: PLC0415
    from router.log import get_logger, set_up_logs  # noqa: PLC0415
    from router.log_writer import LogWriter  # noqa: PLC0415
    from router.scheduler import NoThread  # noqa: PLC0415
    from router.secret import Redactor  # noqa: PLC0415
    from router.server import lacks_descriptors  # noqa: PLC0415
    from router.service import GAVE_UP, Service  # noqa: PLC0415
    from router.web.app import create_app  # noqa: PLC0415

    # The writer and the senders wait for short moments only: with the usual 5 ms a busy event
    # loop would keep each of them waiting after every commit and every answer.
    sys.setswitchinterval(0.0005)
    if (reason := lacks_descriptors()) is not None:
        fail(reason)
    sockets = sockets or [listen(settings)]
    redactor = Redactor(settings.secrets())
    log = LogWriter(sys.stdout.fileno())
    set_up_logs(settings, redactor.scrub, log)
    try:
        service = Service(settings, os.environ, read_text, time.time, redactor, role)
    except (NoRules, LedgerError) as error:
        log.flush()
        fail(redactor.scrub(str(error)))
    except LedgerUnavailable as error:
        log.flush()
        fail(redactor.scrub(_unusable(error)))
    log.count_drops(service.metrics.log_lines_dropped.inc)
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    app = create_app(service)
    # What is there now stays: looked through for garbage again and again, it stops all threads for
    # 100 ms at every six thousandth event (with this for 12).
    gc.collect()
    gc.freeze()
    try:
        status = runner.run(service.serve(app, sockets))
    except LedgerError as error:
        log.flush()
        fail(redactor.scrub(f"the database cannot be used: {error}"))
    except LedgerUnavailable as error:
        log.flush()
        fail(redactor.scrub(_unusable(error)))
    except NoThread as error:
        log.flush()
        fail(f"it cannot start: {error}")
    except (Exception, SystemExit):  # noqa: BLE001 - it ends in full words, unlike as asked
        get_logger().exception("service_fault")
        status = GAVE_UP
    log.flush()
    # A thread that never comes back (a name server, a plugin) must not keep the process.
    os._exit(status)


def _unusable(error: Exception) -> str:
    """Why there is no start, to whoever looks after the database."""
    return (
        f"the database cannot be used: {error}; see what else uses it and what room its disk has"
        " (`router doctor` helps), then start again"
    )


def _end_by_signals() -> None:
    """Until the service listens for them: a stop is one at once, since nothing was accepted yet;
    there are no rules yet to read again; and what is sent by mistake ends nobody."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
