"""What could not be given back while the database was sick goes back once it is well."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
import sqlalchemy as sa

from far_end import wait_until
from hands import Clock, Hands
from router.event import Event, decode
from router.ledger import Draft, Ledger, LedgerUnavailable, open_ledger
from router.scheduler import THREADS
from router.secret import Secret
from router.sending import Sending
from router.timing import Planned

if TYPE_CHECKING:
    from pathlib import Path

MANY = 1200


def _accept(ledger: Ledger, number: int) -> None:
    body = msgspec.json.encode({"trigger": "case_created"})
    event = Event(0, "atfinity", 1_000.0, body, decode(body))
    draft = Draft(event, "hash", 1, (Planned("rule", "c"),))

    async def all_of_them() -> None:
        await asyncio.gather(*(ledger.accept(draft) for _ in range(number)))

    asyncio.run(all_of_them())


def test_what_waits_to_be_given_back_goes_in_few_transactions_and_all_of_it(tmp_path: Path) -> None:
    hands, clock = Hands(), Clock()
    ledger = open_ledger(Secret(f"sqlite:///{tmp_path / 'router.db'}"), clock)
    nobody = cast("Any", None)
    sending = Sending(
        ledger, nobody, nobody, nobody, THREADS, threading.Event(), nobody, lambda: clock.now
    )
    ledger.start(hands)
    try:
        _accept(ledger, MANY)
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
