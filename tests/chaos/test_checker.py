"""The checker is red on bad histories, each for its own law, and green on a good one."""

from __future__ import annotations

import msgspec
import pytest

from chaos.checker import LAWS, check
from chaos.history import (
    Arrival,
    Bounds,
    Carried,
    Course,
    DeliveryRow,
    DueSample,
    EventRow,
    Exit,
    Fault,
    History,
    Post,
    Sample,
)

PAIR = ("all", "fast")


def post(number: int, at: float, status: int = 202, replica: str = "a", took: float = 0.01) -> Post:
    event = 100 + number if status == 202 else None
    return Post(number, number % 2, replica, at, at + took, status, event)


def arrival(number: int, at: float, *, repeat: bool = False, key: str = "") -> Arrival:
    carried = (Carried(100 + number, number),)
    return Arrival(
        at, "fast", "all", key or f"u-{200 + number}", repeat, number % 2, carries=carried
    )


def delivery(number: int, state: str = "sent", **more: object) -> DeliveryRow:
    row = DeliveryRow(200 + number, 100 + number, "all", "fast", state)
    return msgspec.structs.replace(row, **more)


def samples(until: float, status: int = 200, replica: str = "a") -> tuple[Sample, ...]:
    return tuple(
        Sample(step * 0.2, replica, "readyz", status) for step in range(round(until / 0.2))
    )


NUMBERS = range(1, 41)
GOOD = History(
    posts=tuple(post(n, n * 0.5) for n in NUMBERS),
    arrivals=tuple(arrival(n, n * 0.5 + 0.1) for n in NUMBERS),
    samples=samples(21.0),
    due=tuple(DueSample(step * 0.5, {"fast": 0}) for step in range(40)),
    faults=(Fault("stop", 5.0, 10.0, frozenset({"b"})),),
    events=tuple(EventRow(100 + n, n) for n in NUMBERS),
    deliveries=tuple(delivery(n) for n in NUMBERS),
    expected=dict.fromkeys(NUMBERS, (PAIR,)),
    courses={"fast": Course(per_second=3.0, burst=1)},
    replicas=("a",),
    calm=10.0,
    drained=20.5,
    ended=21.0,
    ready={"a": 200},
)


def change(**more: object) -> History:
    return msgspec.structs.replace(GOOD, **more)


def without_posts(began: float, ended: float, status: int) -> tuple[Post, ...]:
    """The posts, where none between the two moments was accepted."""
    return tuple(
        post(p.number, p.began, status) if began < p.began < ended else p for p in GOOD.posts
    )


def late(number: int, to: float) -> tuple[Arrival, ...]:
    """The arrivals, one of them at another time."""
    moved = [arrival(number, to) if a.carries[0].number == number else a for a in GOOD.arrivals]
    return tuple(sorted(moved, key=lambda a: a.at))


BAD = {
    "lost: not in the ledger": change(events=GOOD.events[1:]),
    "lost: another event's id": change(events=(EventRow(101, 7), *GOOD.events[1:])),
    "lost: no delivery": change(deliveries=GOOD.deliveries[1:]),
    "unsent: sent and never arrived": change(arrivals=GOOD.arrivals[1:]),
    "unsent: failed without a reason": change(
        deliveries=(delivery(1, "failed"), *GOOD.deliveries[1:]), arrivals=GOOD.arrivals[1:]
    ),
    "invented: never posted": change(arrivals=(*GOOD.arrivals, arrival(99, 30.0))),
    "invented: not for this channel": change(
        expected={**GOOD.expected, 1: (("all", "slow"),)},
        deliveries=(delivery(1, channel="slow"), *GOOD.deliveries[1:]),
    ),
    "unmarked: the same id twice": change(arrivals=(*GOOD.arrivals, arrival(40, 21.0))),
    "unmarked: the same delivery under two ids": change(
        arrivals=(*GOOD.arrivals, arrival(40, 21.0, key="u-999"))
    ),
    "order: an event after its successor": change(arrivals=late(10, 6.3)),
    "rate: all at once": change(arrivals=tuple(arrival(n, 20.6 + n * 0.01) for n in NUMBERS)),
    "reused: one id for two events": change(
        arrivals=(*GOOD.arrivals[:-1], arrival(40, 20.1, key="u-201", repeat=True))
    ),
    "reused: one event's id for two numbers": change(
        posts=(*GOOD.posts[:-1], Post(40, 0, "a", 20.0, 20.1, 202, 101))
    ),
    "waits: due when the time for it is over": change(
        drained=None,
        deliveries=(delivery(1, "pending", waited=33.0), *GOOD.deliveries[1:]),
        arrivals=GOOD.arrivals[1:],
    ),
    "ready and silent: refuses while it says ready": change(posts=without_posts(11, 19, 0)),
    "dry channel: due, ready, and nothing goes": change(
        due=tuple(DueSample(step * 0.5, {"fast": 3}) for step in range(40)),
        arrivals=late(1, 0.6)[:1] + late(40, 20.1)[-1:],
        deliveries=(delivery(1), delivery(40)),
        events=(EventRow(101, 1), EventRow(140, 40)),
        posts=GOOD.posts[:1] + GOOD.posts[-1:],
    ),
    "neighbour: silent for another's fault": change(
        posts=without_posts(5, 14, 503), samples=samples(21.0, 503)
    ),
    "hangs: no answer for long": change(posts=(*GOOD.posts, post(41, 3.0, 0, took=8.0))),
    "ending: not ready": change(ready={"a": 503}),
    "ending: ended by itself": change(exits=(Exit(5.0, "a", 1, "no rules"),)),
}


def test_a_good_history_has_no_finding() -> None:
    assert check(GOOD, Bounds()) == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_found(name: str) -> None:
    law = name.partition(":")[0]
    assert law in [finding.law for finding in check(BAD[name], Bounds())]


def test_every_law_has_a_history_that_breaks_it() -> None:
    assert {name.partition(":")[0] for name in BAD} == set(LAWS)


@pytest.mark.parametrize(
    "history",
    [
        pytest.param(
            change(arrivals=(*GOOD.arrivals, arrival(40, 21.0, repeat=True))), id="a marked repeat"
        ),
        pytest.param(
            change(
                arrivals=(*GOOD.arrivals[:-1], arrival(40, 20.1, repeat=True), arrival(40, 21.0))
            ),
            id="the mark came first: the other replica woke up later",
        ),
        pytest.param(
            change(posts=(*GOOD.posts, post(41, 21.0, 0)), arrivals=(*GOOD.arrivals,)),
            id="a post without an answer that was not written",
        ),
        pytest.param(
            change(
                deliveries=(
                    delivery(1, "cancelled", reason="met its unless"),
                    *GOOD.deliveries[1:],
                ),
                arrivals=GOOD.arrivals[1:],
            ),
            id="not sent, with a reason",
        ),
        pytest.param(
            change(posts=without_posts(6, 13, 503), samples=samples(21.0, 503)),
            id="a silence within its bound",
        ),
    ],
)
def test_what_is_allowed_is_no_finding(history: History) -> None:
    assert check(history, Bounds(silence=9.0, ready_and_silent=9.0)) == []


def test_what_a_lagging_standby_never_got_is_stated() -> None:
    findings = check(BAD["lost: not in the ledger"], Bounds(may_lose=True))
    assert [finding.stated for finding in findings if finding.law == "lost"] == [True]


def test_an_exit_that_its_supervisor_knows_is_no_finding() -> None:
    history = BAD["ending: ended by itself"]
    assert check(history, Bounds(may_exit=frozenset({1}))) == []
