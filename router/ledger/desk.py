"""The operator's desk: what the pages ask of the ledger, and what operators change there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from router.ledger import facts, lanes, mutes, overview, rulesets, tallies
from router.ledger.read import find_ruleset
from router.ledger.shapes import Pause

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from router.ledger.engine import Engine
    from router.ledger.facts import Database, Process
    from router.ledger.mutes import Mute, MuteKind
    from router.ledger.overview import Gathering, Timer, TimerFilters, Unheard, Waiting
    from router.ledger.rulesets import Load
    from router.ledger.shapes import LaneRow
    from router.ledger.tallies import Kind, Tally

T = TypeVar("T")


class Use(Protocol):
    """Runs a function in a transaction and returns what it returned."""

    def __call__(self, function: Callable[[sa.Connection], T], /) -> T: ...


class Desk:
    """One side of the ledger's door."""

    def __init__(self, engine: Engine, now: Callable[[], float], write: Use, read: Use) -> None:
        self._engine = engine
        self._write = write
        self._read = read
        self._now = now

    def pause(self, channel: str, *, reason: str, author: str) -> tuple[Pause, bool]:
        """Hold up a channel, over all processes.

        Returns the pause that holds, and whether it is this one (or an earlier one).
        """
        pause = Pause(self._now(), author, reason)
        return self._write(lambda c: lanes.pause_lane(c, self._engine, channel, pause))

    def resume(self, channel: str) -> Pause | None:
        """Let a channel go on; returns the pause that has ended, None if there was none."""
        return self._write(lambda c: lanes.resume_lane(c, channel))

    def mute(self, kind: MuteKind, name: str, *, until: float, reason: str, author: str) -> Mute:
        """Silence a rule, channel, case or source until a moment."""
        return self._write(
            lambda c: mutes.add_mute(
                c,
                self._engine,
                kind,
                name,
                until=until,
                reason=reason,
                author=author,
                now=self._now(),
            )
        )

    def unmute(self, mute_id: int | None = None, *, name: str | None = None) -> list[Mute]:
        """End mutes before their time, by id or by what they silence; returns them."""
        return self._write(lambda c: mutes.end_mutes(c, self._now(), mute_id=mute_id, name=name))

    def mutes(self, *, ended: bool = False) -> list[Mute]:
        return self._read(lambda c: mutes.list_mutes(c, self._now(), ended=ended))

    def waiting(self, channels: Sequence[str]) -> dict[str, Waiting]:
        """What waits for each channel."""
        return self._read(lambda c: overview.list_waiting(c, channels))

    def tallies(self, kind: Kind, since: float) -> list[Tally]:
        """What was counted since a moment, by name and step of time."""
        return self._read(lambda c: tallies.list_tallies(c, kind, since))

    def totals(self, kind: Kind, since: float) -> dict[str, Tally]:
        """What was counted since a moment, by name."""
        return self._read(lambda c: tallies.sum_tallies(c, kind, since))

    def timers(self, filters: TimerFilters) -> list[Timer]:
        """What is to be said later, the soonest first."""
        return self._read(lambda c: overview.list_timers(c, filters))

    def timer_ids(self, filters: TimerFilters, most: int) -> list[int]:
        """The same, their ids only."""
        return self._read(lambda c: overview.find_timers(c, filters, most))

    def digests(self, limit: int) -> list[Gathering]:
        """What is being collected, what closes first at the front."""
        return self._read(lambda c: overview.list_digests(c, limit))

    def unheard(self, limit: int) -> list[Unheard]:
        """The latest events that no rule spoke about."""
        return self._read(lambda c: overview.list_unheard(c, limit))

    def database(self) -> Database:
        """Which database this is."""
        return self._read(lambda c: facts.describe_database(c, self._engine))

    def present(self, process: Process) -> None:
        """Tell the others of this process."""
        self._write(lambda c: facts.note_process(c, self._engine, process))

    def processes(self) -> list[Process]:
        """The processes that live now."""
        return self._read(lambda c: facts.list_processes(c, self._engine))

    def lanes(self) -> dict[str, LaneRow]:
        """Every channel's lane, for those who look."""
        return self._read(lanes.list_lanes)

    def ruleset(self, hash_: str) -> dict[str, str] | None:
        """The files of a ruleset, for those who look."""
        return self._read(lambda c: find_ruleset(c, hash_))

    def loads(self, limit: int) -> list[Load]:
        """Which rulesets came into force when, the latest first."""
        return self._read(lambda c: rulesets.list_loads(c, limit))
