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
from router.lane import Lane
from router.ledger import Filters, LedgerUnavailable, open_ledger
from router.ledger.accept import LEASE
from router.scheduler import THREADS, Threads
from router.secret import Secret
from router.senders import Job
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


class _Later(Threads):
    """Threads in a world where so many seconds more have passed."""

    passed = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.passed


@pytest.mark.parametrize(
    ("passed", "by_the_clock"),
    [
        pytest.param(LEASE + 1, LEASE + 1, id="the lease has ended"),
        pytest.param(LEASE - 30, LEASE - 30, id="it may end before the send does"),
        pytest.param(LEASE + 1, LEASE - 1, id="the clock was set back a little"),
        pytest.param(LEASE + 1, LEASE - 100, id="the clock was set back"),
        pytest.param(LEASE + 1, -86_400.0, id="the clock was set back a day"),
        pytest.param(0.0, LEASE + 1, id="the machine slept"),
    ],
)
def test_what_was_in_hand_for_too_long_is_not_sent_however_the_clock_was_set(
    tmp_path: Path, passed: float, by_the_clock: float
) -> None:
    hands, clock, scheduler = Hands(), Clock(), _Later()
    ledger = open_ledger(Secret(f"sqlite:///{tmp_path / 'router.db'}"), clock, scheduler)
    nobody = cast("Any", None)
    sending = Sending(
        ledger,
        nobody,
        nobody,
        nobody,
        scheduler,
        threading.Event(),
        lambda lane: None,
        lambda: clock.now,
    )
    ledger.start(hands)
    try:
        accept_many(ledger, 1, Planned("r", "c"))
        hands.places = 1
        ledger.claim("c")
        wait_until(lambda: bool(hands.held))
        scheduler.passed, clock.now = passed, clock.now + by_the_clock
        lane = Lane("c", scheduler)
        lane.queue.put(hands.held[0])
        sending.send_next(Job(lane, scheduler.monotonic()))
        (row,) = ledger.deliveries(Filters())
        assert (row.state, row.attempt, row.reason) == ("pending", 0, None)
    finally:
        ledger.close()
