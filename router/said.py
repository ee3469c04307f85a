"""What a rehearsal tells: each message that would be said, and each delivery's fate. Values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.event import Event
from router.render import Occasion
from router.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.message import Format, Message
    from router.render import Renderer
    from router.rules import Ruleset


class Fate(msgspec.Struct, kw_only=True, eq=False):
    """A delivery of a rehearsal, and what became of it. Times are epoch seconds.

    Pending: `due_at` says until when it waits, `reason` why. Sent: it was said `at`. Suppressed
    and cancelled: not at all, with the `reason`, since `at`. `id` counts from 1, in the order the
    ledger would make them. `queued`: its moment has come, and it has a place among its case's.
    """

    id: int
    event: Event
    rule: str
    channel: str
    step: int
    moment: float
    due_at: float
    state: str = "pending"
    reason: str | None = None
    at: float | None = None
    digest: str | None = None
    held: int = 0
    queued: bool = False
    case_key: str | None = None

    @property
    def event_id(self) -> int:
        return self.event.id


class Said(msgspec.Struct, frozen=True):
    """One message that was said: `fates` are the deliveries it carries, in order.

    `digest`: it lists its events, even if there is only one.
    """

    at: float
    fates: tuple[Fate, ...]
    digest: bool

    @property
    def rule(self) -> str:
        return self.fates[0].rule

    @property
    def channel(self) -> str:
        return self.fates[0].channel

    @property
    def step(self) -> int:
        """0: the message itself; n: its nth reminder; -n: its nth escalation."""
        return self.fates[0].step

    @property
    def event(self) -> Event:
        """The event the words are about: of a digest, the last."""
        return self.fates[-1].event

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(fate.event for fate in self.fates)

    @property
    def held(self) -> int:
        """How many were throttled before it."""
        return sum(fate.held for fate in self.fates)


def words_of(
    said: Said, ruleset: Ruleset, renderer: Renderer, format_of: Callable[[str], Format]
) -> Message:
    """The message, rendered as the service would; `format_of` tells a channel's format."""
    rule = ruleset.rule(said.rule) or Rule(name=said.rule, when=None, targets=())
    return renderer.render(
        event=said.event,
        rule=rule,
        target=rule.target(said.channel),
        channel=ruleset.channels[said.channel],
        format=format_of(said.channel),
        occasion=Occasion(
            events=said.events if said.digest else (), held=said.held, step=said.step
        ),
    )
