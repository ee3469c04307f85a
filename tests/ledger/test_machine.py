"""The ledger as a state machine: whatever happens in whatever order, the promises hold."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from router.event import Event
from router.ledger.accept import LEASE, accept
from router.ledger.claim import claim
from router.ledger.engine import Engine, open_engine
from router.ledger.migrate import migrate
from router.ledger.record import give_back, record, release
from router.ledger.shapes import Draft, InHand, Tried
from router.ledger.tables import deliveries
from router.message import Outcome
from router.secret import Secret
from router.timing import Planned

CASES = st.integers(0, 2)
CHANNELS = ("a", "b")


class LedgerMachine(RuleBasedStateMachine):
    """Two processes (slots 0 and 1) over one ledger, with a clock that only moves when told."""

    engine: Engine
    connection: sa.Connection

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "router.db"
        self.engine = open_engine(Secret(f"sqlite:///{path}"))
        migrate(self.engine)
        self.connection = self.engine.writing.connect()
        self.now = 1_000.0
        self.held: dict[int, list[InHand]] = {0: [], 1: []}
        self.promised = 0
        self.begun: dict[int, int] = {}
        self.ended: set[int] = set()

    def _take(self, slot: int, found: Any) -> None:
        for one in found:
            assert one.id not in self.ended, "claimed after it ended"
            assert one.attempt == self.begun.get(one.id, 0) + 1, "an attempt was not counted"
            for others in self.held.values():
                for other in others:
                    same = (other.channel, other.case_key) == (one.channel, one.case_key)
                    alive = other.lease > self.now
                    assert not (same and alive), "two of one case on one channel at once"
            self.begun[one.id] = one.attempt
            self.held[slot].append(one)

    @rule(slot=st.integers(0, 1), cases=st.lists(CASES, min_size=1, max_size=3), room=CASES)
    def post(self, slot: int, cases: list[int], room: int) -> None:
        drafts = [
            Draft(
                Event(0, "s", self.now, b"{}", {"trigger": "t", "case_id": case}),
                "hash",
                1,
                tuple(Planned("r", channel) for channel in CHANNELS),
            )
            for case in cases
        ]
        with self.connection.begin():
            written = accept(
                self.connection,
                self.engine,
                drafts,
                room=lambda _: room,
                slot=slot,
                uid="u",
                now=self.now,
                lapses_at=self.now + LEASE,
            )
        self.promised += len(cases) * len(CHANNELS)
        self._take(slot, written.in_hand)

    @rule(slot=st.integers(0, 1), channel=st.sampled_from(CHANNELS), room=st.integers(1, 3))
    def claim(self, slot: int, channel: str, room: int) -> None:
        with self.connection.begin():
            found = claim(
                self.connection,
                self.engine,
                channel=channel,
                rate=None,
                room=room,
                slot=slot,
                uid="u",
                now=self.now,
                lapses_at=self.now + LEASE,
            )
        self._take(slot, found.in_hand)

    @precondition(lambda self: any(self.held.values()))
    @rule(
        data=st.data(),
        end=st.sampled_from(["delivered", "retry", "ambiguous", "failed"]),
    )
    def record(self, data: st.DataObject, end: str) -> None:
        slot = data.draw(st.sampled_from([s for s, held in self.held.items() if held]))
        one = self.held[slot].pop(data.draw(st.integers(0, len(self.held[slot]) - 1)))
        state: Any = {"delivered": "sent", "failed": "failed"}.get(end, "pending")
        outcome = Outcome(kind=end, detail="d")  # type: ignore[arg-type]
        due_at = self.now + 10 if state == "pending" else None
        with self.connection.begin():
            tried = Tried(delivery=one, at=self.now, outcome=outcome, state=state, due_at=due_at)
            record(self.connection, self.engine, [tried], slot=slot, now=self.now)
        if state != "pending" and self.begun[one.id] == one.attempt:
            self.ended.add(one.id)

    @precondition(lambda self: any(self.held.values()))
    @rule(slot=st.integers(0, 1))
    def kill_and_start_again(self, slot: int) -> None:
        self.held[slot].clear()
        with self.connection.begin():
            release(self.connection, slot, self.now)

    @precondition(lambda self: any(self.held.values()))
    @rule(slot=st.integers(0, 1))
    def give_back(self, slot: int) -> None:
        with self.connection.begin():
            give_back(self.connection, self.engine, self.held[slot], self.now)
        for one in self.held[slot]:
            if self.begun[one.id] == one.attempt:
                self.begun[one.id] -= 1
        self.held[slot].clear()

    @rule(seconds=st.sampled_from([1.0, 10.0, LEASE + 1]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "connection"):
            return
        with self.connection.begin():
            rows = self.connection.execute(sa.select(deliveries)).all()
        assert len(rows) == self.promised
        assert {row.id for row in rows if row.state != "pending"} == self.ended

    def teardown(self) -> None:
        if not hasattr(self, "connection"):
            return
        # Whatever happened, all of it can still be delivered.
        self.now += 10 * LEASE
        for _ in range(self.promised + 1):
            for channel in CHANNELS:
                with self.connection.begin():
                    found = claim(
                        self.connection,
                        self.engine,
                        channel=channel,
                        rate=None,
                        room=50,
                        slot=0,
                        uid="u",
                        now=self.now,
                        lapses_at=self.now + LEASE,
                    )
                    sent = Outcome(kind="delivered", detail="d")
                    tried = [
                        Tried(delivery=one, at=self.now, outcome=sent, state="sent")
                        for one in found.in_hand
                    ]
                    record(self.connection, self.engine, tried, slot=0, now=self.now)
        with self.connection.begin():
            left = self.connection.execute(
                sa.select(sa.func.count()).where(deliveries.c.state == "pending")
            ).scalar()
        self.connection.close()
        self.engine.close()
        self.folder.cleanup()
        assert left == 0


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
