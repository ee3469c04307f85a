"""What a process does to the ledger by itself, as time passes: timers, what ended, old history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from router.ledger import clock_set, mutes, timers
from router.ledger.accept import note_checked
from router.ledger.own import note_seen, tell_own
from router.ledger.purge import Purged, forget, purge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import sqlalchemy as sa

    from router.event import Event
    from router.ledger.engine import Engine
    from router.ledger.mutes import Mute
    from router.ledger.shapes import Fired, Own
    from router.timing import Gone, Planned, Terms

T = TypeVar("T")


class Use(Protocol):
    """Runs a function in a transaction and returns what it returned."""

    def __call__(self, function: Callable[[sa.Connection], T], /) -> T: ...


class Upkeep:
    """`ledger.upkeep`: each of these raises LedgerUnavailable when the database does not answer."""

    def __init__(
        self, engine: Engine, now: Callable[[], float], call: Use, slot: Callable[[], int]
    ) -> None:
        self._engine = engine
        self._now = now
        self._call = call
        self._slot = slot

    def fire(self, terms_of: Callable[[Event, Planned], Terms | Gone]) -> Fired:
        """Let what had its moment be said: by the terms of the rules as they are now."""
        return self._call(
            lambda c: timers.fire(c, self._engine, terms_of, slot=self._slot(), now=self._now())
        )

    def set_clock(self, was: float, now: float, newest: int, follow: Callable[[], None]) -> None:
        """Take on that it is `now` and not `was`, which is what it would be by the clock of before.

        `newest` is the highest delivery id that was known by then. `follow` sets the clock of this
        process: in the writer's thread, so that nothing is written by the old one afterwards.
        """

        def take_on(connection: sa.Connection) -> None:
            follow()
            if now < was:
                clock_set.set_back(connection, self._engine, was, newest, now)
            else:
                clock_set.set_forward(connection, self._engine, now - was, now)

        self._call(take_on)

    def expire(self, limits: Mapping[str, tuple[float, str | None]]) -> set[str]:
        """Fail what waited too long for channels that rest; returns the channels told instead.

        `limits`: for each such channel the seconds a delivery may wait, and the fallback.
        """
        return self._call(
            lambda c: timers.expire(c, self._engine, limits, slot=self._slot(), now=self._now())
        )

    def fail_removed(self, channels: Sequence[str], reason: str) -> int:
        """Fail what waits for channels that are no longer there."""
        return self._call(lambda c: timers.fail_removed(c, channels, reason, self._now()))

    def cancel_removed(self, rules: Sequence[str]) -> int:
        """Cancel what rules that are no longer there were to say later."""
        return self._call(lambda c: timers.cancel_removed(c, rules, self._now()))

    def end_mutes(self) -> list[Mute]:
        """End the mutes whose time is over; returns them with what they held back."""
        return self._call(lambda c: mutes.end_over(c, self._now()))

    def tell(self, told: Own) -> bool:
        """Write down an event of the router's own and its deliveries, once for its key."""
        return self._call(lambda c: tell_own(c, self._engine, told, self._now()))

    def note_seen(self, seen: Mapping[str, float]) -> dict[str, float]:
        """Remember when each source was last heard; returns the latest that anybody heard."""
        return self._call(lambda c: note_seen(c, self._engine, seen))

    def purge(self, before: float, after: int) -> Purged:
        """Take away a little of the history before a moment, beginning after an event's id."""
        return self._call(lambda c: purge(c, before, after))

    def forget(self) -> None:
        """Take away what is remembered for longer than it counts; note what time it is."""

        def both(connection: sa.Connection) -> None:
            forget(connection, self._now())
            note_checked(connection, self._now())

        self._call(both)
