"""The checker: what must hold of every history, whatever the faults were.

A pure function of the history. Each law is a function that yields sentences; none means it holds.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from chaos.health import (
    answers_in_time,
    ends_well,
    healthy_silence,
    never_ready_and_silent,
    no_dry_channel,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chaos.history import Arrival, Bounds, History, Post

EXAMPLES = 3
"""How many cases of one finding are named."""


class Finding(msgspec.Struct, frozen=True):
    """A law that does not hold, and how. `stated`: a loss that the set-up is known for."""

    law: str
    text: str
    stated: bool = False


def check(history: History, bounds: Bounds) -> list[Finding]:
    """Return every finding, the gravest laws first."""
    return [
        Finding(law, text, stated=bounds.may_lose and law == "lost")
        for law, holds in LAWS.items()
        for text in holds(history, bounds)
    ]


def nothing_lost(history: History, bounds: Bounds) -> Iterator[str]:
    """An acknowledged event is in the ledger, with its number and all its deliveries."""
    numbers = {event.id: event.number for event in history.events}
    pairs: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
    for row in history.deliveries:
        if not row.copy:
            pairs[row.event].add((row.rule, row.channel))
    gone, bare = [], []
    for post in acknowledged(history):
        if history.erased is not None and post.ended < history.erased + bounds.notice:
            continue
        if post.event is None or numbers.get(post.event) != post.number:
            gone.append(f"number {post.number} (event {post.event}, {post.replica})")
            continue
        missing = set(history.expected.get(post.number, ())) - pairs[post.event]
        bare += [f"number {post.number} for {channel}" for _, channel in sorted(missing)]
    yield from _count("acknowledged and not in the ledger", gone)
    yield from _count("in the ledger without its delivery", bare)


def everything_sent(history: History, _bounds: Bounds) -> Iterator[str]:
    """What is recorded as sent has arrived; what was not sent says why."""
    numbers = {event.id: event.number for event in history.events}
    arrived = {
        (arrival.channel, arrival.rule, carried.event, carried.number)
        for arrival in history.arrivals
        for carried in arrival.carries
    }
    unsent, silent = [], []
    for row in history.deliveries:
        message = (row.channel, row.rule, row.event, numbers.get(row.event, -1))
        name = f"delivery {row.id} of event {row.event} to {row.channel}"
        if row.state == "sent" and message not in arrived:
            unsent.append(name)
        elif row.state in ("failed", "cancelled", "suppressed") and not row.reason:
            silent.append(f"{name}: {row.state}")
    yield from _count("recorded as sent and never arrived", unsent)
    yield from _count("not sent, and no reason stands there", silent)


def nothing_invented(history: History, _bounds: Bounds) -> Iterator[str]:
    """A message is about events that were posted, to a channel that they are for."""
    posted = {post.number for post in history.posts}
    strange = []
    for arrival in history.arrivals:
        for carried in arrival.carries:
            pairs = history.expected.get(carried.number, ())
            if carried.number not in posted or (arrival.rule, arrival.channel) not in pairs:
                strange.append(f"number {carried.number} at {arrival.channel}")
    yield from _count("sent and never posted", strange)


def repeats_marked(history: History, _bounds: Bounds) -> Iterator[str]:
    """Of several arrivals of one delivery, all but one are marked.

    One and not the first: a replica that was taken for dead may send its own, unmarked, after the
    marked one of the replica that took over.
    """
    unmarked = []
    for arrivals in _by_delivery(history).values():
        if sum(not arrival.repeat for arrival in arrivals) > 1:
            first = arrivals[0]
            unmarked.append(f"{first.message_id} at {first.channel}, {len(arrivals)} times")
    yield from _count("repeated without a mark", sorted(set(unmarked)))


def order_kept(history: History, _bounds: Bounds) -> Iterator[str]:
    """Per case and channel, first arrivals come in the order of their events."""
    latest: dict[tuple[str, int], int] = {}
    seen: set[tuple[str, int]] = set()
    before = 0.0
    wrong = []
    for arrival in history.arrivals:
        if history.erased is not None and arrival.at > history.erased > before:
            latest.clear()  # another ledger counts from its own beginning
            seen.clear()
        before = arrival.at
        course = history.courses.get(arrival.channel)
        if course is None or not course.ordered:
            continue
        for carried in arrival.carries:
            if (arrival.channel, carried.event) in seen:
                continue
            seen.add((arrival.channel, carried.event))
            place = (arrival.channel, arrival.case)
            if carried.event < latest.get(place, 0):
                wrong.append(f"case {arrival.case} at {arrival.channel}: event {carried.event}")
            latest[place] = max(carried.event, latest.get(place, 0))
    yield from _count("out of order", wrong)


def rate_kept(history: History, bounds: Bounds) -> Iterator[str]:
    """A channel's rate holds over all replicas, with slack for skewed clocks."""
    for channel, course in history.courses.items():
        if course.per_second is None:
            continue
        room = most = course.burst + course.per_second * bounds.skew
        last, beyond = 0.0, 0
        for arrival in history.arrivals:
            if arrival.channel != channel:
                continue
            room = min(most, room + (arrival.at - last) * course.per_second) - 1
            last = arrival.at
            if room < 0:
                beyond += 1
                room = 0.0
        if beyond:
            yield f"{beyond} messages at {channel} beyond its rate of {course.per_second:g}/s"


def nothing_waits(history: History, bounds: Bounds) -> Iterator[str]:
    """After the calm, nothing that is due waits longer than the bound."""
    waits = [row for row in history.deliveries if row.state == "pending" and row.waited is not None]
    if history.drained is not None or not waits:
        return
    channels: defaultdict[str, int] = defaultdict(int)
    for row in waits:
        channels[row.channel] += 1
    listed = ", ".join(f"{name} {count}" for name, count in sorted(channels.items()))
    oldest = max(row.waited or 0.0 for row in waits)
    yield (
        f"{len(waits)} due {bounds.due:.0f} s after the fault ended, the oldest for"
        f" {oldest:.0f} s ({listed})"
    )


def ids_unique(history: History, _bounds: Bounds) -> Iterator[str]:
    """An id never stands for two different things."""
    carried: dict[str, tuple[str, frozenset[int]]] = {}
    reused = []
    for arrival in history.arrivals:
        content = arrival.channel, frozenset(c.number for c in arrival.carries)
        if carried.setdefault(arrival.message_id, content) != content:
            reused.append(arrival.message_id)
    answered: dict[int, int] = {}
    reused += [
        f"event {post.event}"
        for post in (acknowledged(history) if history.erased is None else ())
        if post.event is not None and answered.setdefault(post.event, post.number) != post.number
    ]
    yield from _count("one id for two different things", sorted(set(reused)))


def acknowledged(history: History) -> list[Post]:
    """The posts that were answered 202."""
    return [post for post in history.posts if post.status == 202]


def _by_delivery(history: History) -> dict[object, list[Arrival]]:
    """Arrivals of one delivery: by id of the message, and by what it carries."""
    groups: defaultdict[object, list[Arrival]] = defaultdict(list)
    for arrival in history.arrivals:
        groups[arrival.message_id].append(arrival)
        for carried in arrival.carries:
            groups[(arrival.channel, arrival.rule, carried.event, carried.number)].append(arrival)
    return {key: arrivals for key, arrivals in groups.items() if len(arrivals) > 1}


def _count(text: str, cases: list[str]) -> Iterator[str]:
    if cases:
        more = ", ..." if len(cases) > EXAMPLES else ""
        yield f"{len(cases)} {text}: {', '.join(cases[:EXAMPLES])}{more}"


LAWS: dict[str, Callable[[History, Bounds], Iterator[str]]] = {
    "lost": nothing_lost,
    "unsent": everything_sent,
    "invented": nothing_invented,
    "unmarked": repeats_marked,
    "order": order_kept,
    "rate": rate_kept,
    "reused": ids_unique,
    "waits": nothing_waits,
    "ready and silent": never_ready_and_silent,
    "dry channel": no_dry_channel,
    "neighbour": healthy_silence,
    "hangs": answers_in_time,
    "ending": ends_well,
}
