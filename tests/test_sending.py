"""What could not be given back while the database was sick goes back once it is well."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest
import sqlalchemy as sa

from far_end import wait_until
from hands import Clock, Hands, accept_many
from router.ledger import LedgerUnavailable, open_ledger
from router.scheduler import THREADS
from router.secret import Secret
from router.sending import Sending
from router.timing import Planned

if TYPE_CHECKING:
    from pathlib import Path

MANY = 1200


def test_what_waits_to_be_given_back_goes_in_few_transactions_and_all_of_it(tmp_path: Path) -> None:
    hands, clock = Hands(), Clock()
    ledger = open_ledger(Secret(f"sqlite:///{tmp_path / 'router.db'}"), clock)
    nobody = cast("Any", None)
    sending = Sending(
        ledger, nobody, nobody, nobody, THREADS, threading.Event(), nobody, lambda: clock.now
    )
    ledger.start(hands)
    try:
        accept_many(ledger, MANY, Planned("r", "c"))
        hands.places = MANY
        ledger.claim("c")
        wait_until(lambda: len(hands.held) == MANY)
        with contextlib.closing(sqlite3.connect(tmp_path / "router.db")) as sick:
            sick.execute(
                "CREATE TRIGGER sick BEFORE UPDATE OF owner ON deliveries"
                " BEGIN SELECT raise(ABORT, 'the disk is sick'); END"
            )
            sending.give_back(hands.held[: MANY // 2])
            sending.give_back([hands.held[MANY // 2]], due_at=clock.now + 60, reason="later")
            sending.give_back(hands.held[MANY // 2 + 1 :])
            with pytest.raises(LedgerUnavailable, match="sick"):
                sending.return_again()
            sick.execute("DROP TRIGGER sick")
        commits: list[object] = []
        sa.event.listen(ledger._engine.writing, "commit", commits.append)
        sending.return_again()
        assert len(commits) <= 5
        hands.held.clear()
        ledger.claim("c")
        wait_until(lambda: len(hands.held) == MANY - 1)
        assert [held.attempt for held in hands.held] == [1] * (MANY - 1)
        clock.now += 60
        ledger.claim("c")
        wait_until(lambda: len(hands.held) == MANY)
    finally:
        ledger.close()
