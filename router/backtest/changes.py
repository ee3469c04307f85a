"""What a backtest finds: values, counted per rule and channel."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import msgspec

from router.event import Event
from router.message import Message

Kind = Literal["new", "gone", "other"]
"""Newly said, no longer said, said differently."""
Aspect = Literal["words", "time", "events", "rule"]
"""What is different: the words, the time, the events that it lists, the rule that says it."""
EXAMPLES = 3
"""How many of each kind are kept, for each rule and channel."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One message that is said only before, only after, or differently. Times are epoch seconds.

    `before` and `after` are the words (None: not said). `was` and `at` are when; None where it is
    not said, or not by the end of the window: then `waits_until` is when it would be. `why` is
    why the side that is silent is.
    """

    kind: Kind
    event: Event
    step: int = 0
    aspects: tuple[Aspect, ...] = ()
    before: Message | None = None
    after: Message | None = None
    was: float | None = None
    at: float | None = None
    waits_until: float | None = None
    why: str = ""
    old_rule: str | None = None


class Row(msgspec.Struct, kw_only=True):
    """One rule and channel: how many messages are said as before, newly, no more, differently.

    `aspects` counts what is different. `unchecked` are those whose words may be different: their
    templates changed, and more of them differ than are compared.
    """

    rule: str
    channel: str
    same: int = 0
    new: int = 0
    gone: int = 0
    other: int = 0
    unchecked: int = 0
    aspects: Counter[Aspect] = msgspec.field(default_factory=Counter)
    examples: list[Change] = msgspec.field(default_factory=list)

    @property
    def changed(self) -> int:
        return self.new + self.gone + self.other

    def count(self, kind: Kind, aspects: tuple[Aspect, ...] = ()) -> bool:
        """Count a change; returns whether it is wanted as an example."""
        self.aspects.update(aspects)
        number: int = getattr(self, kind) + 1
        setattr(self, kind, number)
        return number <= EXAMPLES


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that a backtest found. `rows` are in the order of the new rules.

    `waiting` is how many messages were still to be said at the end, before and after. `failed`
    counts events that a rule could neither match nor not match, before and after. `moved` names
    channels whose far end is another, and the keys that say so.
    """

    events: int
    began: float
    ended: float
    rows: tuple[Row, ...]
    waiting: tuple[int, int]
    failed: dict[str, tuple[int, int]]
    moved: dict[str, tuple[str, ...]]

    def total(self, kind: Kind | Literal["same", "unchecked"]) -> int:
        return sum(getattr(row, kind) for row in self.rows)

    @property
    def changed(self) -> bool:
        """Whether anything is different, or may be."""
        rows = any(row.changed or row.unchecked for row in self.rows)
        failed = any(before != after for before, after in self.failed.values())
        return rows or failed or bool(self.moved)
