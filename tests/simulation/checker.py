"""What must hold of every run: the laws of the chaos rig, and those only a simulation can ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos.checker import Finding
from chaos.checker import check as check_history
from chaos.history import Bounds
from simulation.workload import BURST, RATE

if TYPE_CHECKING:
    from chaos.history import History
    from simulation.world import World

BOUNDS = Bounds(
    silence=1e9,  # of SQLite's one lock a frozen process takes the others' share
    answer=10.0,
    ready_and_silent=75.0,
    due=1500.0,
    skew=1e9,  # rates are asked below, where it is known when clocks were set
    may_exit=frozenset({0, 70}),
)


def check(history: History, world: World) -> list[Finding]:
    """Every finding of a run."""
    findings = check_history(history, BOUNDS)
    findings += [Finding("thread", text) for text in world.observer.missing]
    beyond = beyond_rate(world.far.requests, world.clock_sets)
    if beyond:
        findings.append(Finding("rate", f"{beyond} messages beyond the rate"))
    return findings


def beyond_rate(requests: list[tuple[float, str]], clock_sets: list[float]) -> int:
    """How many requests came faster than the rate lets them; a clock that is set may let another
    burst go."""
    moments = sorted(
        [(at, 1) for at, channel in requests if channel == "rated"] + [(at, 0) for at in clock_sets]
    )
    most = room = BURST + 1.0 * RATE
    beyond, last = 0, 0.0
    for at, is_request in moments:
        room = min(most, room + (at - last) * RATE)
        last = at
        if not is_request:
            room = most
            continue
        room -= 1
        if room < 0:
            beyond, room = beyond + 1, 0.0
    return beyond
