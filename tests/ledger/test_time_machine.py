"""The ledger through time: timers, digests, rates, rests, kills and clocks, in any order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from router.calendar import Calendar
from router.condition import Equals, Field
from router.event import Event
from router.ledger import clock_set, mutes, timers
from router.ledger.accept import LEASE, accept
from router.ledger.claim import claim
from router.ledger.engine import open_engine
from router.ledger.migrate import migrate
from router.ledger.record import give_back, record, release
from router.ledger.shapes import Draft, InHand, Tried
from router.ledger.tables import NEXT, deliveries, metadata
from router.message import Message, Outcome
from router.route import RoutingTable
from router.rules import (
    Digest,
    Escalation,
    Hours,
    Rate,
    Remind,
    Rule,
    Ruleset,
    Target,
    Throttle,
)
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.ledger.engine import Engine

CASES = st.integers(0, 2)
RATES = {"chat": Rate(1.0, 2, gather=True), "mail": Rate(2.0, 1)}
CHANNELS = st.sampled_from(sorted(RATES))
ALWAYS = Calendar("always", "UTC", (((0, 1440),),) * 7)
# Open for ten minutes, closed for ten, all day long.
SHIFTS = Calendar("shifts", "UTC", (tuple((m, m + 10) for m in range(0, 1440, 20)),) * 7)
POSTED, DONE = Field("trigger", Equals("posted")), Field("trigger", Equals("done"))
CHAT, MAIL = (Target("chat"),), (Target("mail"),)
RULES = (
    Rule(name="plain", when=POSTED, targets=(*CHAT, *MAIL)),
    Rule(name="late", when=POSTED, targets=CHAT, after=60.0, unless=DONE),
    Rule(name="once", when=POSTED, targets=MAIL, throttle=Throttle(30.0, ("case_id",))),
    Rule(name="listed", when=POSTED, targets=MAIL, digest=Digest(40.0, None, ALWAYS)),
    Rule(name="hours", when=DONE, targets=CHAT, hours=Hours(SHIFTS)),
    Rule(
        name="again",
        when=POSTED,
        targets=CHAT,
        unless=DONE,
        remind=Remind(50.0, 2),
        escalate=(Escalation(70.0, MAIL),),
    ),
)
TABLE = RoutingTable(
    Ruleset(hash="h", sources={}, channels={}, rules=RULES, templates={}, files={})
)
WORDS = Message(
    title="t",
    body="b",
    format="text",
    text="b",
    severity="info",
    colour="#000000",
    link=None,
    because="",
    rung="template",
)


class TimeMachine(RuleBasedStateMachine):
    """Two processes over one ledger, whose clock moves when told, also back."""

    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.connection = self.engine.writing.connect()
        with self.connection.begin():
            for table in metadata.sorted_tables:
                if table.name not in ("meta", "counters"):
                    self.connection.execute(table.delete())
        self.now = 100_000.0
        self.passed = 0.0  # the time there really is, however the clock is set
        self.held: dict[int, list[InHand]] = {0: [], 1: []}
        self.promised = 0
        self.ended: dict[int, str] = {}
        self.words: dict[int, frozenset[int]] = {}
        self.sends: dict[str, list[float]] = {"chat": [], "mail": []}

    def _rows(self) -> Sequence[Any]:
        return self.connection.execute(sa.select(deliveries).order_by(deliveries.c.id)).all()

    def _took(self, slot: int, found: Sequence[InHand]) -> None:
        with self.connection.begin():
            rows = self._rows()
        for one in found:
            ids = {part for part, _ in one.parts}
            assert not ids & self.ended.keys(), "in hand after it ended"
            if one.message_id is not None:
                assert self.words[one.message_id] == ids, "words that were made for others"
            for other in (o for held in self.held.values() for o in held):
                same = other.channel == one.channel and other.cases & one.cases
                assert not (same and other.lapses_at > self.passed), "two of one case at once"
            # What was tried before may have arrived: a timer that came since waits behind it.
            for row in rows if one.attempt == 1 else ():
                waits = row.state == "pending" and row.turn and row.channel == one.channel
                if waits and row.case_key in one.cases and row.id not in ids:
                    mine = [p for p in rows if p.id in ids and p.case_key == row.case_key]
                    assert row.id > max(p.id for p in mine), "an earlier one was overtaken"
            self.held[slot].append(one)
            self._spent(one.channel)

    def _spent(self, channel: str) -> None:
        rate, sends = RATES[channel], self.sends[channel]
        sends.append(self.passed)
        for number, began in enumerate(sends):
            most = rate.burst + (self.passed - began) / rate.interval
            assert len(sends) - number <= most + 1e-6, "more than the rate allows"

    @rule(slot=st.integers(0, 1), posted=st.lists(st.tuples(CASES, st.booleans()), min_size=1,
                                                  max_size=6))  # fmt: skip
    def post(self, slot: int, posted: list[tuple[int, bool]]) -> None:
        drafts = []
        for case, done in posted:
            fields = {"trigger": "done" if done else "posted", "case_id": case}
            event = Event(0, "s", self.now, json.dumps(fields).encode(), fields)
            routing = TABLE.route(event)
            drafts.append(Draft(event, "h", 1, routing.planned, cancels=routing.cancels))
        with self.connection.begin():
            written = accept(
                self.connection,
                self.engine,
                drafts,
                room=lambda _: 0,
                slot=slot,
                uid="u",
                now=self.now,
                lapses_at=self.passed + LEASE,
            )
        self.promised += sum(len(draft.planned) for draft in drafts)
        assert not written.in_hand

    @rule()
    def fire(self) -> None:
        with self.connection.begin():
            timers.fire(self.connection, self.engine, TABLE.terms, slot=0, now=self.now)

    @rule(slot=st.integers(0, 1), channel=CHANNELS, room=st.integers(1, 4))
    def claim(self, slot: int, channel: str, room: int) -> None:
        self._took(slot, self._claim(slot, channel, room))

    def _claim(self, slot: int, channel: str, room: int) -> Sequence[InHand]:
        with self.connection.begin():
            return claim(
                self.connection,
                self.engine,
                channel=channel,
                rate=RATES[channel],
                room=room,
                slot=slot,
                uid="u",
                now=self.now,
                lapses_at=self.passed + LEASE,
            ).in_hand

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data(), kind=st.sampled_from(["delivered", "retry", "ambiguous", "failed"]))
    def record(self, data: st.DataObject, kind: str) -> None:
        slot = data.draw(st.sampled_from([s for s, held in self.held.items() if held]))
        one = self.held[slot].pop(data.draw(st.integers(0, len(self.held[slot]) - 1)))
        self._record(one, kind)

    def _record(self, one: InHand, kind: Any) -> None:
        state: Any = {"delivered": "sent", "failed": "failed"}.get(kind, "pending")
        again = None if state != "pending" else self.now + 10
        tried = Tried(
            delivery=one,
            at=self.now,
            outcome=Outcome(kind=kind, detail="d"),
            state=state,
            reason="d",
            due_at=again,
            again_at=again,
            message=WORDS,
        )
        with self.connection.begin():
            record(self.connection, self.engine, [tried], slot=0, now=self.now)
            for row in self._rows():
                ids = frozenset(part for part, _ in one.parts)
                if row.id in ids and row.message_id is not None:
                    self.words.setdefault(row.message_id, ids)

    @rule(slot=st.integers(0, 1))
    def kill_and_start_again(self, slot: int) -> None:
        self.held[slot].clear()
        with self.connection.begin():
            release(self.connection, slot, self.now)

    @rule(slot=st.integers(0, 1))
    def give_back(self, slot: int) -> None:
        with self.connection.begin():
            give_back(self.connection, self.engine, self.held[slot], self.now)
        self.held[slot].clear()

    @rule(name=st.sampled_from(["plain", "late"]))
    def mute(self, name: str) -> None:
        with self.connection.begin():
            until = self.now + 20
            mutes.add_mute(self.connection, self.engine, "rule", name, until=until, reason="r",
                           author="a", now=self.now)  # fmt: skip

    @rule(seconds=st.sampled_from([0.5, 3.0, 30.0, 70.0, 700.0, LEASE + 1]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.passed += seconds

    @rule(seconds=st.sampled_from([2.0, 100.0]))
    def set_back(self, seconds: float) -> None:
        was, self.now = self.now, self.now - seconds
        with self.connection.begin():
            clock_set.set_back(self.connection, self.engine, was, 10**9, self.now)

    @invariant()
    def nothing_is_lost(self) -> None:
        with self.connection.begin():
            rows = self._rows()
        assert sum(row.step <= 0 for row in rows) == self.promised
        for row in rows:
            if row.state in ("cancelled", "suppressed"):
                assert row.reason, "silence without a reason"
            if row.id in self.ended:
                assert self.ended[row.id] == row.state, "it ended twice"
            elif row.state != "pending":
                self.ended[row.id] = row.state

    @invariant()
    def whoever_waits_has_somebody_next(self) -> None:
        with self.connection.begin():
            rows = [row for row in self._rows() if row.state == "pending" and row.turn]
        turns: dict[tuple[str, str], list[int]] = {}
        for row in rows:
            turns.setdefault((row.channel, row.case_key), []).append(row.turn)
        assert all(found.count(NEXT) == 1 for found in turns.values())

    def teardown(self) -> None:
        try:
            self._come_to_an_end()
        finally:
            self.connection.close()

    def _come_to_an_end(self) -> None:
        """Whatever happened, nothing of it waits for ever."""
        for slot in self.held:
            self.kill_and_start_again(slot)
        left = 1
        for _ in range(40):
            self.pass_time(700.0)
            self.fire()
            for channel in RATES:
                found = self._claim(0, channel, 50)
                while found:
                    self._took(0, found)
                    self.held[0].clear()
                    for one in found:
                        self._record(one, "delivered")
                    self.pass_time(2.5)
                    found = self._claim(0, channel, 50)
            with self.connection.begin():
                left = sum(row.state == "pending" for row in self._rows())
            if not left:
                break
        self.nothing_is_lost()
        assert left == 0


def test_time_keeps_the_promises(database_url: str) -> None:
    engine = open_engine(Secret(database_url))
    migrate(engine)
    machine = type("Machine", (TimeMachine,), {"engine": engine})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    engine.close()
