"""A process of the simulation: its threads, its clock, and what is to befall it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.baton import Baton, SimulatedThread
    from simulation.database import SimulatedConnection

EPOCH = 1_770_000_000.0 - 1000.0
"""What a clock that is right says, less what the baton says."""

Illness = Literal["io", "full", "ambiguous"]


class ThreadFault(BaseException):
    """Something no code expects, where a thread waits."""


class Trap(msgspec.Struct):
    """What happens to a process when its threads have come to such a place `left` times more."""

    places: frozenset[str]
    left: int
    spring: Callable[[], None]
    threads: tuple[str, ...] = ()
    """Names with which a thread has to begin; none: any thread."""


class Sickness(msgspec.Struct, frozen=True):
    """How often (0 to 1) the database fails a process, how, and until when."""

    kind: Illness
    share: float
    until: float


class Process:
    """One process; `skew` is by how many seconds its clock is ahead."""

    def __init__(self, name: str, baton: Baton, skew: float, counts: Counter[str]) -> None:
        self.name = name
        self.baton = baton
        self.skew = skew
        self.dead = False
        self.frozen_until = 0.0
        self.gives_threads = True
        self.threads: list[SimulatedThread] = []
        self.connections: list[SimulatedConnection] = []
        self.traps: list[Trap] = []
        self.sickness: Sickness | None = None
        self._counts = counts

    def now(self) -> float:
        """Epoch seconds by the clock of this process."""
        self.baton.check()
        return EPOCH + self.baton.now + self.skew

    def count(self, what: str) -> None:
        """A fault has happened."""
        self._counts[what] += 1
        self.baton.tell(f"! {self.name}: {what}")

    def reach(self, place: str) -> None:
        """A thread has come to a place."""
        if not self.traps:
            return
        name = self.baton.current.name.partition("/")[2]
        for trap in list(self.traps):
            if place in trap.places and (not trap.threads or name.startswith(trap.threads)):
                trap.left -= 1
                if trap.left <= 0:
                    self.traps.remove(trap)
                    trap.spring()
