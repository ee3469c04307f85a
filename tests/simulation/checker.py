"""What must hold of every run: the laws of the chaos rig, and those only a simulation can ask."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from chaos.checker import LAWS, Finding
from chaos.history import Bounds
from simulation.workload import BURST, CONCURRENCY, RATE

if TYPE_CHECKING:
    from chaos.history import Arrival, History
    from simulation.world import World

OF_OUR_OWN = frozenset({"unmarked", "order", "rate", "neighbour"})
"""Laws that are asked otherwise here: of SQLite's one lock a frozen process takes the others'
share, of rates it is known when clocks were set, and one message may be about several cases."""
BOUNDS = Bounds(
    answer=10.0,
    ready_and_silent=75.0,
    due=1500.0,
    may_exit=frozenset({0, 70}),
)
RECOVERED = 120.0
"""Seconds after the last fault within which nothing waits: rests and retries, and no lease. (A
moment by a clock that was set back meanwhile is waited for.)"""


def check(history: History, world: World) -> list[Finding]:
    """Every finding of a run."""
    laws = {name: holds for name, holds in LAWS.items() if name not in OF_OUR_OWN}
    findings = [
        Finding(law, text) for law, holds in laws.items() for text in holds(history, BOUNDS)
    ]
    findings += [Finding("unmarked", text) for text in unmarked(history)]
    findings += [Finding("order", text) for text in out_of_order(history, world.clients.cases)]
    late = (history.drained or 0.0) - history.calm
    if late > RECOVERED and not world.clock_sets:
        findings.append(Finding("late", f"all was done only {late:.0f} s after the last fault"))
    findings += [Finding("thread", text) for text in world.observer.missing]
    findings += [Finding("unready", text) for text in unready(history)]
    for at in beyond_rate(world.far.requests, world.clock_sets, world.apart):
        findings.append(Finding("rate", f"a message beyond the rate at {at:.2f}"))
    return findings


def unready(history: History) -> list[str]:
    """Who says that it is not ready long after the last fault, and why."""
    calm = history.calm + RECOVERED
    late = [sample for sample in history.samples if sample.at > calm and sample.status != 200]
    return sorted({f"{sample.replica}: {sample.detail}" for sample in late})


def unmarked(history: History) -> list[str]:
    """Of all that arrived of one delivery, one thing at most is not marked as a possible repeat.

    A rule that reminds says the same more than once: there the id of the message says which it is.
    """
    groups: defaultdict[tuple[object, ...], list[Arrival]] = defaultdict(list)
    for arrival in history.arrivals:
        groups[(arrival.message_id,)].append(arrival)
        if arrival.rule != "reviews":
            for carried in arrival.carries:
                groups[(arrival.channel, arrival.rule, carried.event)].append(arrival)
    return sorted(
        {
            f"{arrivals[0].message_id} at {arrivals[0].channel}, {len(arrivals)} times"
            for arrivals in groups.values()
            if sum(not arrival.repeat for arrival in arrivals) > 1
        }
    )


def out_of_order(history: History, cases: dict[int, int]) -> list[str]:
    """Per channel and case (`cases`: that of each number), first arrivals are in order."""
    latest: dict[tuple[str, int], int] = {}
    seen: set[tuple[str, int]] = set()
    wrong = []
    for arrival in history.arrivals:
        if not history.courses[arrival.channel].ordered:
            continue
        for carried in arrival.carries:
            if (arrival.channel, carried.event) in seen:
                continue
            seen.add((arrival.channel, carried.event))
            place = (arrival.channel, cases[carried.number])
            if carried.event < latest.get(place, 0):
                wrong.append(f"event {carried.event} of case {place[1]} at {arrival.channel}")
            latest[place] = max(carried.event, latest.get(place, 0))
    return wrong


def beyond_rate(
    requests: list[tuple[float, str]], clock_sets: list[float], apart: list[float]
) -> list[float]:
    """When requests came faster than the rate lets them.

    A clock that is set can let another burst go. `apart` are the seconds in which clocks differ by
    more than they may: nothing is promised then.
    """
    moments = sorted(
        [(at, True) for at, channel in requests if channel == "rated"]
        + [(at, False) for at in (*clock_sets, *apart)]
    )
    lawless = {round(at) + after for at in apart for after in (-1, 0, 1)}
    room = float(MOST)
    beyond, last = [], 0.0
    for at, is_request in moments:
        room = min(MOST, room + (at - last) * RATE) if is_request else MOST
        last = at
        room -= is_request
        if room < 0:
            room = 0.0
            if round(at) not in lawless:
                beyond.append(at)
    return beyond


MOST = BURST + RATE + CONCURRENCY
"""Messages that may come at once: a burst, a second's for clocks that differ a little, and what a
process that was held up had claimed before."""
