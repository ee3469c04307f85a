"""The rehearsal: what rules would say about events, on the events' own clock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from router.calendar import Calendar
from router.condition import Always, Equals, Field
from router.delivery import Gateway
from router.event import Event
from router.rehearse import Rehearsal, rehearse
from router.render import Renderer
from router.route import RoutingTable
from router.rules import (
    Channel,
    Digest,
    Escalation,
    Hours,
    Remind,
    Rule,
    Ruleset,
    Target,
    Throttle,
)
from router.said import words_of
from router.secret import Redactor

if TYPE_CHECKING:
    from router.condition import Condition

HOUR = 3600.0
ALWAYS = Calendar("always", "UTC", (((0, 1440),),) * 7)
OFFICE = Calendar("office", "UTC", (((8 * 60, 18 * 60),),) * 7)
ENTERS = Field("trigger", Equals("enters"))
LEAVES = Field("trigger", Equals("leaves"))


def rule(name: str = "r", when: Condition | None = None, channel: str = "c", **more: Any) -> Rule:
    return Rule(name=name, when=when or Always(), targets=(Target(channel),), **more)


def ruleset(*rules: Rule) -> Ruleset:
    channels = {
        name: Channel(name=name, service="webhook", options={"url": "https://far.example"})
        for name in ("c", "d")
    }
    return Ruleset(hash="h", sources={}, channels=channels, rules=rules, templates={}, files={})


def event(number: int, hours: float, trigger: str = "enters", case: int | None = 1) -> Event:
    fields = {"trigger": trigger, "case_id": case}
    return Event(number, "s", hours * HOUR, json.dumps(fields).encode(), fields)


def said(*rules: Rule, events: list[Event], until: float = 1000) -> list[Any]:
    """What is said: the hour, the channel and the events it lists."""
    found = rehearse(RoutingTable(ruleset(*rules)), events, until * HOUR)
    return [(one.at / HOUR, one.channel, [e.id for e in one.events]) for one in found.said]


def fates(*rules: Rule, events: list[Event], until: float = 1000) -> list[tuple[str, str | None]]:
    found = rehearse(RoutingTable(ruleset(*rules)), events, until * HOUR)
    return [(one.state, one.reason) for one in found.fates]


AFTER: dict[str, Any] = {"when": ENTERS, "after": 48 * HOUR, "unless": LEAVES}


@pytest.mark.parametrize(
    ("rules", "events", "expected"),
    [
        pytest.param([rule()], [event(1, 5)], [(5, "c", [1])], id="at once"),
        pytest.param([rule(**AFTER)], [event(1, 0)], [(48, "c", [1])], id="after a while"),
        pytest.param(
            [rule(**AFTER)],
            [event(1, 0), event(2, 1, case=2), event(3, 5, "leaves")],
            [(49, "c", [2])],
            id="cancelled for one case, spoken for its twin",
        ),
        pytest.param(
            [rule(**AFTER)],
            [event(1, 0), event(2, 48, "leaves")],
            [(48, "c", [1])],
            id="what ends a wait in its last moment is too late",
        ),
        pytest.param(
            [rule(hours=Hours(OFFICE))],
            [event(1, 6), event(2, 9), event(3, 20)],
            [(8, "c", [1]), (9, "c", [2]), (32, "c", [3])],
            id="held until it opens",
        ),
        pytest.param(
            [rule(hours=Hours(OFFICE, drop=True))],
            [event(1, 6), event(2, 9)],
            [(9, "c", [2])],
            id="dropped outside",
        ),
        pytest.param(
            [rule(throttle=Throttle(HOUR))],
            [event(1, 0), event(2, 0.5), event(3, 1)],
            [(0, "c", [1]), (1, "c", [3])],
            id="throttled",
        ),
        pytest.param(
            [
                rule("a", digest=Digest(24 * HOUR, None, ALWAYS)),
                rule("b", hours=Hours(OFFICE)),
                rule("c", after=HOUR),
                rule("d"),
            ],
            [event(1, 0)],
            [(0, "c", [1]), (1, "c", [1]), (8, "c", [1]), (24, "c", [1])],
            id="of one event, what speaks at once does not wait for what is collected or held",
        ),
        pytest.param(
            [rule(digest=Digest(HOUR, None, ALWAYS))],
            [event(1, 0), event(2, 0.5, case=2), event(3, 1.5)],
            [(1, "c", [1, 2]), (2.5, "c", [3])],
            id="collected",
        ),
        pytest.param(
            [rule(when=ENTERS, unless=LEAVES, remind=Remind(24 * HOUR, 3))],
            [event(1, 0), event(2, 50, "leaves")],
            [(0, "c", [1]), (24, "c", [1]), (48, "c", [1])],
            id="reminded until it is over",
        ),
        pytest.param(
            [rule(when=ENTERS, unless=LEAVES, escalate=(Escalation(4 * HOUR, (Target("d"),)),))],
            [event(1, 0), event(2, 1, case=2), event(3, 2, "leaves", case=2)],
            [(0, "c", [1]), (1, "c", [2]), (4, "d", [1])],
            id="escalated if it is still so",
        ),
        pytest.param(
            [rule("held", ENTERS, hours=Hours(OFFICE)), rule("plain", LEAVES)],
            [event(1, 6), event(2, 7, "leaves"), event(3, 7, "leaves", case=2)],
            [(7, "c", [3]), (8, "c", [1]), (8, "c", [2])],
            id="one case's messages keep their order on a channel",
        ),
        pytest.param(
            [rule("late", ENTERS, after=2 * HOUR), rule("held", LEAVES, hours=Hours(OFFICE))],
            [event(1, 5), event(2, 6, "leaves")],
            [(7, "c", [1]), (8, "c", [2])],
            id="a timer's message comes before what waits behind it",
        ),
        pytest.param(
            [rule("day", ENTERS, digest=Digest(4 * HOUR, None, ALWAYS)), rule("plain", LEAVES)],
            [event(1, 0), event(2, 1, "leaves"), event(3, 2), event(4, 3, case=2)],
            [(4, "c", [1, 4]), (4, "c", [2]), (4, "c", [3])],
            id="a digest leaves out what stands behind another message of its case",
        ),
        pytest.param(
            [rule(throttle=Throttle(2 * HOUR), hours=Hours(OFFICE))],
            [event(1, 2), event(2, 7), event(3, 9), event(4, 11)],
            [(8, "c", [1]), (11, "c", [4])],
            id="a throttle counts from when what was held is said",
        ),
        pytest.param(
            [rule(when=ENTERS, unless=LEAVES, remind=Remind(6 * HOUR, 3), hours=Hours(OFFICE))],
            [event(1, 17)],
            [(17, "c", [1]), (32, "c", [1]), (38, "c", [1]), (56, "c", [1])],
            id="a reminder counts from when the one before it is said",
        ),
    ],
)
def test_what_is_said_and_when(rules: list[Rule], events: list[Event], expected: list[Any]) -> None:
    assert said(*rules, events=events) == expected


def test_every_delivery_has_a_fate_with_its_reason() -> None:
    rules = [
        rule("late", ENTERS, after=HOUR, unless=LEAVES),
        rule("once", ENTERS, channel="d", throttle=Throttle(HOUR)),
    ]
    events = [event(1, 0), event(2, 0.1), event(3, 0.2, "leaves"), event(4, 5)]
    assert fates(*rules, events=events, until=5.5) == [
        ("cancelled", "event 3 met its `unless`"),
        ("sent", None),
        ("cancelled", "event 3 met its `unless`"),
        ("suppressed", "throttled: event 1 was told within 60 min"),
        ("pending", "its time has not come yet"),
        ("sent", None),
    ]


def test_a_throttled_message_is_counted_in_the_next() -> None:
    table = RoutingTable(ruleset(rule(throttle=Throttle(HOUR))))
    found = rehearse(table, [event(1, 0), event(2, 0.5), event(3, 0.6), event(4, 2)], 3 * HOUR)
    assert [one.held for one in found.said] == [0, 2]


def test_a_reminder_without_an_end_goes_on_as_long_as_the_clock() -> None:
    forever = rule(unless=LEAVES, remind=Remind(HOUR))
    assert [at for at, _, _ in said(forever, events=[event(1, 0)], until=5)] == [0, 1, 2, 3, 4, 5]


def test_the_next_moment_says_what_still_waits() -> None:
    rehearsal = Rehearsal(RoutingTable(ruleset(rule(**AFTER))), say=lambda _: None)
    moments = []
    for one in (event(1, 0), event(2, 1, "leaves")):
        rehearsal.post(one)
        moments.append(rehearsal.next_moment)
    assert moments == [48 * HOUR, None]


def test_the_words_are_those_of_the_service() -> None:
    rules = ruleset(rule(title="{{ trigger }} {{ count }}", digest=Digest(HOUR, None, ALWAYS)))
    found = rehearse(RoutingTable(rules), [event(1, 0), event(2, 0)], 2 * HOUR)
    gateway = Gateway(rules.channels, outbound="capture", ca_bundle=None, redactor=Redactor([]))
    renderer = Renderer({}, base_url="https://router.example")
    message = words_of(found.said[0], rules, renderer, gateway.format_of)
    gateway.close()
    assert message.title == "enters 2"


def test_more_than_one_message_can_list_goes_as_several() -> None:
    digest = rule(digest=Digest(HOUR, None, ALWAYS))
    many = [event(n, n / 1000, case=n % 7) for n in range(1, 601)]
    told = said(digest, events=many)
    assert [len(listed) for _, _, listed in told] == [250, 250, 100]
    assert sorted(n for _, _, listed in told for n in listed) == list(range(1, 601))


def test_what_may_go_at_one_moment_is_decided_before_any_of_it_goes() -> None:
    held = rule("held", hours=Hours(OFFICE))
    digest = rule("digest", digest=Digest(7 * HOUR, None, ALWAYS))
    told = said(held, digest, events=[event(1, 1), event(2, 1, case=2)])
    assert told == [(8, "c", [1]), (8, "c", [2]), (8, "c", [1, 2])]
