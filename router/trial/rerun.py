"""The process that a backtest of edited rules runs in: told once, it tells how far it is, then what
it found.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from router.backtest import Backtest, Side
from router.delivery import formats, inspect
from router.ledger import LedgerError, LedgerUnavailable, open_ledger
from router.problem import count
from router.render import Renderer
from router.retold import Retold, retell
from router.route import RoutingTable
from router.rulebook import build_unseen, edited
from router.secret import Secret
from router.trial.backtests import SECONDS
from router.trial.confine import begin_work, confine
from router.trial.question import Progress, Rerun

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.rulebook import Files

MEMORY = 2 * 1024**3
TELL = 0.5


def main() -> None:
    """Run the backtest that stdin tells of."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else may get between the answers
    confine(MEMORY)
    begin_work(SECONDS)

    def tell(progress: Progress) -> None:
        answers.write(msgspec.json.encode(progress) + b"\n")
        answers.flush()

    wanted = msgspec.json.decode(sys.stdin.buffer.readline(), type=Rerun)
    try:
        tell(_run(wanted, tell))
    except (LedgerError, LedgerUnavailable) as error:
        tell(Progress(0, 0, fault=f"the database does not answer: {error}"))
    except BrokenPipeError:
        return  # the service is gone, and with it whoever wants to know


def _run(wanted: Rerun, tell: Callable[[Progress], None]) -> Progress:
    sides = []
    for files in (wanted.files, edited(wanted.files, wanted.edits)):
        side = _side(files, wanted.base_url)
        if isinstance(side, str):
            return Progress(0, 0, fault=side)
        sides.append(side)
    began = time.monotonic()
    told = 0.0
    running = Backtest(*sides)
    ledger = open_ledger(Secret(wanted.database_url), lambda: wanted.now, make=False)
    try:
        span = ledger.history.span(wanted.since, wanted.now)
        if span is None:
            return Progress(0, 0, found=None)
        for event in ledger.history.events(span):
            running.post(event)
            if time.monotonic() - told >= TELL:
                told = time.monotonic()
                tell(Progress(running.number, span.number))
    finally:
        ledger.close()
    report = running.end(wanted.now)
    found: Retold = retell(report, time.monotonic() - began)
    return Progress(running.number, span.number, found=found)


def _side(files: Files, base_url: str) -> Side | str:
    """Rules that can be asked; or why they cannot."""
    built = build_unseen(files, inspect_channel=inspect)
    ruleset = built.untested
    if ruleset is None:
        return f"your rules have {count(built.problems)}; correct them first"
    renderer = Renderer(ruleset.templates, base_url=base_url)
    return Side(RoutingTable(ruleset), renderer, formats(ruleset.channels))


if __name__ == "__main__":
    main()
