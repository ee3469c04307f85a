"""The rehearsal and the ledger say the same at the same times, for any rules and any events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from router.calendar import Calendar
from router.condition import Always, Condition, Equals, Field
from router.event import Event
from router.ledger import timers
from router.ledger.accept import LEASE, accept
from router.ledger.claim import claim
from router.ledger.engine import Engine, open_engine
from router.ledger.migrate import migrate
from router.ledger.record import give_back, record
from router.ledger.shapes import Draft, InHand, Tried
from router.ledger.tables import NEXT, PENDING, deliveries
from router.message import Outcome
from router.rehearse import rehearse
from router.route import RoutingTable
from router.rules import Digest, Escalation, Hours, Remind, Rule, Ruleset, Target, Throttle
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from router.said import Said

HOUR = 3600.0
CHANNELS = ("a", "b")
EVERY_DAY = ((0, 1440),)
ALWAYS = Calendar("always", "UTC", (EVERY_DAY,) * 7)
OFFICE = Calendar("office", "UTC", (((8 * 60, 12 * 60), (14 * 60, 18 * 60)),) * 7)
DONE = Field("trigger", Equals("done"))
MADE = Field("trigger", Equals("made"))
BEGAN = 20_000 * 24 * HOUR

WHENS: st.SearchStrategy[Condition] = st.sampled_from([Always(), DONE, MADE])
TARGETS = st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=2, unique=True)
HOURS = st.integers(1, 9).map(lambda hours: hours * HOUR)
BY = st.sampled_from([(), ("case_id",), ("trigger",)])
# Timers at whole hours, events at odd minutes: what would come at the same moment has an order
# in a service that nobody could tell.
GAPS = st.sampled_from([0.0, 60.0, 11 * 60.0, HOUR, 3 * HOUR, 7 * HOUR, 26 * HOUR])


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    made = []
    for number in range(draw(st.integers(1, 3))):
        when = draw(WHENS)
        timed = draw(st.booleans())
        digest = draw(st.sampled_from([None, "every", "at"]))
        given: dict[str, Any] = {
            "after": draw(HOURS) if timed else 0.0,
            "unless": DONE if timed and draw(st.booleans()) else None,
            "calendar": draw(st.sampled_from([None, OFFICE])) if timed else None,
            "hours": draw(st.sampled_from([None, Hours(OFFICE), Hours(OFFICE, drop=True)])),
            "throttle": Throttle(draw(HOURS), draw(BY)) if draw(st.booleans()) else None,
            "dedupe": draw(HOURS) if draw(st.booleans()) else None,
        }
        if digest == "every":
            given["digest"] = Digest(draw(HOURS), None, ALWAYS, draw(BY))
        elif digest == "at":
            given["digest"] = Digest(None, draw(st.integers(0, 23)) * 60, OFFICE, draw(BY))
        if given["unless"] is not None and draw(st.booleans()):
            given["remind"] = Remind(draw(HOURS), draw(st.integers(1, 3)))
        if given["unless"] is not None and draw(st.booleans()):
            given["escalate"] = (Escalation(draw(HOURS), (Target(draw(st.sampled_from("ab"))),)),)
        targets = tuple(map(Target, draw(TARGETS)))
        stop = draw(st.integers(0, 5)) == 0
        made.append(Rule(name=f"r{number}", when=when, targets=targets, stop=stop, **given))
    return tuple(made)


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    made, now = [], BEGAN + draw(st.integers(0, 47)) * HOUR / 2 + 7 * 60
    for number in range(1, draw(st.integers(1, 12)) + 1):
        now += draw(GAPS)
        case = draw(st.sampled_from([1, 1, 2, None]))
        fields = {"trigger": draw(st.sampled_from(["made", "done"])), "case_id": case}
        made.append(Event(number, "s", now, json.dumps(fields).encode(), fields))
    return made


class Service:
    """What the service does with a ledger, with a clock of its own and far ends that answer."""

    def __init__(self, engine: Engine, connection: sa.Connection, table: RoutingTable) -> None:
        self.engine = engine
        self.connection = connection
        self.table = table
        self.now = 0.0
        self.said: list[tuple[Any, ...]] = []
        self.first: int | None = None

    def post(self, event: Event) -> None:
        self.run(event.received_at)
        self.now = event.received_at
        routing = self.table.route(event)
        draft = Draft(event, "h", 1, routing.planned, None, routing.cancels)
        written = accept(
            self.connection,
            self.engine,
            [draft],
            room=lambda _: 50,
            slot=0,
            uid="u",
            now=self.now,
            lapses_at=self.now + LEASE,
        )
        if self.first is None:
            self.first = written.accepted[0].event
        for held in written.in_hand:
            self._send(held)
        self._claim()

    def run(self, until: float) -> None:
        """Fire and claim at every moment when something is due."""
        while (moment := self._next()) is not None and moment <= until:
            self.now = max(self.now, moment)
            fired = timers.fire(
                self.connection, self.engine, self.table.terms, slot=0, now=self.now
            )
            if not self._claim() and not fired.number:
                raise AssertionError("something is due, and nothing happens")
        self.now = max(self.now, until)

    def _next(self) -> float | None:
        later = deliveries.c.turn == 0
        first = sa.select(sa.func.min(deliveries.c.due_at)).where(
            PENDING, later | (deliveries.c.turn == NEXT)
        )
        found: float | None = self.connection.execute(first).scalar()
        return found

    def _claim(self) -> bool:
        found = False
        waits = True
        while waits:
            waits = False
            for channel in CHANNELS:
                taken = claim(
                    self.connection,
                    self.engine,
                    channel=channel,
                    rate=None,
                    room=50,
                    slot=0,
                    uid="u",
                    now=self.now,
                    lapses_at=self.now + LEASE,
                ).in_hand
                for held in taken:
                    found = waits = True
                    self._send(held)
        return found

    def _send(self, held: InHand) -> None:
        closed = self.table.closed_until(held.rule, self.now)
        if closed is not None:
            give_back(self.connection, self.engine, [held], *closed)
            return
        listed = tuple(one.event.id for one in held.listed) or (held.event.id,)
        together = bool(held.listed)
        told = (self.now, held.rule, held.channel, held.step, listed, held.held, together)
        self.said.append(told)
        outcome = Outcome(kind="delivered", detail="d")
        tried = Tried(delivery=held, at=self.now, outcome=outcome, state="sent")
        record(self.connection, self.engine, [tried], slot=0, now=self.now)

    def fates(self) -> list[tuple[Any, ...]]:
        rows = self.connection.execute(sa.select(deliveries)).all()
        return sorted((row.event_id, row.rule, row.channel, row.step, row.state) for row in rows)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path: Path = tmp_path_factory.mktemp("ledger") / "router.db"
    made = open_engine(Secret(f"sqlite:///{path}"))
    migrate(made)
    yield made
    made.close()


def _told(one: Said) -> tuple[Any, ...]:
    listed = tuple(event.id for event in one.events)
    return (one.at, one.rule, one.channel, one.step, listed, one.held, one.digest)


@given(rules=rules(), events=events())
@settings(max_examples=25, deadline=None)
def test_the_rehearsal_says_what_the_ledger_says(
    engine: Engine, rules: tuple[Rule, ...], events: list[Event]
) -> None:
    made = Ruleset(hash="h", sources={}, channels={}, rules=rules, templates={}, files={})
    table = RoutingTable(made)
    until = events[-1].received_at + 200 * HOUR
    found = rehearse(table, events, until)
    with engine.writing.connect() as connection, connection.begin() as transaction:
        service = Service(engine, connection, table)
        for event in events:
            service.post(event)
        service.run(until)
        fates = service.fates()
        transaction.rollback()
    first = (service.first or 1) - 1  # ids go on where the last example ended
    said = [(*one[:4], tuple(i - first for i in one[4]), *one[5:]) for one in service.said]
    assert sorted(said) == sorted(map(_told, found.said))
    assert [(row[0] - first, *row[1:]) for row in fates] == sorted(
        (fate.event.id, fate.rule, fate.channel, fate.step, fate.state) for fate in found.fates
    )
