"""A test of rules, once it has been read: events on a fake clock, and what is to be said."""

from __future__ import annotations

import msgspec

from router.event import Event
from router.problem import Position


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """One message that is expected; what is None may be anything. `at` is from the start on."""

    rule: str
    channel: str
    title: str | None = None
    body: str | None = None
    title_contains: str | None = None
    body_contains: str | None = None
    at: float | None = None
    events: int | None = None


class RuleTest(msgspec.Struct, frozen=True, kw_only=True):
    """What happens, and everything that the rules say about it, in order.

    `start` is in epoch seconds; `until` in seconds from it on (None: until nothing waits any
    more). With `partial`, more may be said than is expected.
    """

    name: str
    start: float
    events: tuple[Event, ...]
    until: float | None
    expect: tuple[Expected, ...]
    partial: bool
    position: Position


class Proved(msgspec.Struct, frozen=True):
    """A test that was run. It passes if there are no `faults`: sentences for people.

    `diff` shows what was expected and what was said as a unified diff, a line each; `reasons` say
    why something was not said.
    """

    test: RuleTest
    faults: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        return not self.faults
