"""The end of a run: until nothing waits any more, and what is then read from everywhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from chaos.history import History
from chaos.records import Records, Unreachable
from chaos.replica import wait_until
from chaos.sampling import ask
from chaos.workload import courses

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaos.stage import Stage

TAIL = 3.0
"""Seconds of load after the fault, at least."""


def drain(stage: Stage) -> tuple[float | None, float | None]:
    """Load on until what was due at the calm has gone, then wait until nothing is left.

    Returns the moments of both; None where it did not come to that within the bound.
    """
    records = Records(stage.url)
    bound = stage.scenario.bounds.due
    began = time.monotonic()
    recovered = None
    if _wait_quietly(lambda: records.last_event() >= 0, bound):
        last = records.last_event()
        if _wait_quietly(lambda: records.waiting(until=last) == 0, bound):
            recovered = time.monotonic()
    stage.wait(max(0.0, TAIL - (time.monotonic() - began)))
    stage.posters.stop()
    empty = _wait_quietly(lambda: records.waiting() == 0, bound)
    drained = time.monotonic() if empty else None
    records.close()
    return recovered, drained


def ready_at_end(stage: Stage) -> dict[str, int]:
    """What each replica says of its readiness, once it has had the time to be ready again."""
    wait_until(
        lambda: all(ask(replica.address, "/readyz") == 200 for replica in stage.replicas),
        stage.scenario.bounds.due,
    )
    return {
        replica.name: ask(replica.address, "/readyz") if replica.runs else -1
        for replica in stage.replicas
    }


def collect(
    stage: Stage,
    *,
    began: float,
    calm: float,
    recovered: float | None,
    drained: float | None,
    ready: dict[str, int],
) -> History:
    """Everything that was recorded, and what the ledger holds, as one value."""
    records = Records(stage.url)
    history = History(
        posts=tuple(stage.posters.posts),
        arrivals=tuple(stage.sink.arrivals),
        samples=tuple(sorted(stage.sampler.samples, key=lambda sample: sample.at)),
        due=tuple(stage.sampler.due),
        faults=tuple(stage.faults),
        exits=tuple(stage.supervisor.exits),
        events=records.events(),
        deliveries=records.deliveries(),
        expected=dict(stage.posters.expected),
        courses=courses(stage.scenario.extra),
        replicas=tuple(stage.names),
        began=began,
        calm=calm,
        recovered=recovered,
        drained=drained,
        ended=time.monotonic(),
        erased=stage.erased,
        ready=ready,
    )
    records.close()
    return history


def _wait_quietly(condition: Callable[[], bool], limit: float) -> bool:
    """Wait for a condition over a ledger that may not answer yet."""

    def asked() -> bool:
        try:
            return condition()
        except Unreachable:
            return False

    return wait_until(asked, limit, 0.25)
