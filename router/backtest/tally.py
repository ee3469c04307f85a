"""Pairing what was said before with what is said now, and counting what differs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from router.backtest.changes import EXAMPLES, Aspect, Change, Kind, Row
from router.backtest.words import Wording, same_words
from router.said import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.backtest.words import Side
    from router.event import Event
    from router.message import Message
    from router.said import Fate

COMPARED = 1000
"""Messages of one rule and channel whose words are compared, if what makes them changed."""
KEPT = 4 * EXAMPLES
"""Messages of one rule and channel that are kept whole while nothing pairs with them."""
MOMENT = 0.001
"""Seconds: two times that differ by less are the same."""

Key: TypeAlias = tuple[str, str, int, int]
"""Rule, channel, step, and the first event that a message lists."""
Made: TypeAlias = "Callable[[Key], Fate | None]"
Which = Literal[0, 1]
OLD: Which = 0
NEW: Which = 1


def key_of(fate: Fate) -> Key:
    """What a delivery is known by on both sides."""
    return fate.rule, fate.channel, fate.step, fate.event.id


class _Left(msgspec.Struct):
    """A message that only one side has said so far: as little of it as is needed.

    `silent` is what the other side had made of it at that moment, if anything.
    """

    at: float
    rule: str
    channel: str
    step: int
    events: tuple[int, ...]
    said: Said | None
    silent: Fate | None


class Tally:
    """Takes what both sides say, moment by moment, and counts per rule and channel."""

    def __init__(self, old: Side, new: Side) -> None:
        self._sides = (old, new)
        self._rows: dict[tuple[str, str], Row] = {}
        self._left: tuple[dict[Key, _Left], dict[Key, _Left]] = ({}, {})
        self._kept: Counter[tuple[Which, str, str]] = Counter()
        self._wording = (Wording(old), Wording(new))
        self._alike: dict[tuple[str, str, str], bool] = {}
        self._compared: Counter[tuple[str, str]] = Counter()

    def settle(
        self,
        old: Sequence[Said],
        new: Sequence[Said],
        made: tuple[Made, Made],
    ) -> None:
        """Count what both sides said since the last time; `made` finds what they made of it."""
        before = {_key(one): one for one in old}
        rest: list[Said] = []
        for after in new:
            found = before.pop(_key(after), None)
            if found is None:
                rest.append(after)
            else:
                self._both(found, after)
        for one in before.values():
            self._leave(OLD, one, made[NEW])
        for one in rest:
            self._leave(NEW, one, made[OLD])

    def end(self, old_waiting: Sequence[Fate], new_waiting: Sequence[Fate]) -> tuple[Row, ...]:
        """Count what nothing paired with; returns all rows, in the order of the new rules."""
        self._pair_by_events()
        for which, waiting in ((OLD, new_waiting), (NEW, old_waiting)):
            later = {key_of(fate): fate for fate in waiting}
            for left in self._left[which].values():
                self._alone(which, left, later)
        order = {rule.name: n for n, rule in enumerate(self._sides[NEW].table.ruleset.rules)}
        for n, rule in enumerate(self._sides[OLD].table.ruleset.rules, len(order)):
            order.setdefault(rule.name, n)
        return tuple(sorted(self._rows.values(), key=lambda r: (order.get(r.rule, 0), r.channel)))

    def _row(self, rule: str, channel: str) -> Row:
        found = self._rows.get((rule, channel))
        if found is None:
            found = self._rows[rule, channel] = Row(rule=rule, channel=channel)
        return found

    def _both(self, before: Said, after: Said) -> None:
        """The same message on both sides, at about the same time."""
        row = self._row(after.rule, after.channel)
        alike = self._made_alike(after.rule, after.rule, after.channel)
        if alike and _alike(before, after):
            row.same += 1  # most are: this is asked about each message of the history
            return
        aspects: list[Aspect] = []
        if abs(before.at - after.at) > MOMENT:
            aspects.append("time")
        if len(before.fates) + len(after.fates) > 2 and _ids(before) != _ids(after):
            aspects.append("events")
        words: tuple[Message, Message] | None = None
        if before.held != after.held or before.digest != after.digest:
            aspects.append("words")
        elif not aspects and not alike:
            pair = (after.rule, after.channel)
            if self._compared[pair] >= COMPARED:
                row.unchecked += 1
                return
            self._compared[pair] += 1
            words = (self._words(OLD, before), self._words(NEW, after))
            if not same_words(*words):
                aspects.append("words")
        if not aspects:
            row.same += 1
        elif row.count("other", tuple(aspects)):
            words = words or (self._words(OLD, before), self._words(NEW, after))
            row.examples.append(
                Change(
                    kind="other",
                    event=after.fates[0].event,
                    step=after.step,
                    aspects=tuple(aspects),
                    before=words[0],
                    after=words[1],
                    was=before.at,
                    at=after.at,
                )
            )

    def _leave(self, which: Which, one: Said, made: Made) -> None:
        """Only this side says it now; the other may have said it before, or may yet."""
        key = _key(one)
        other = self._left[1 - which].pop(key, None)
        left = self._lean(which, one, made)
        if other is None:
            self._left[which][key] = left
        elif which == NEW:
            self._later(other, left)
        else:
            self._later(left, other)

    def _lean(self, which: Which, one: Said, made: Made) -> _Left:
        row = (which, one.rule, one.channel)
        kept = self._kept[row] < KEPT
        silent = None
        if kept:
            self._kept[row] += 1
            silent = made(_key(one))
        return _Left(
            one.at, one.rule, one.channel, one.step, _ids(one), one if kept else None, silent
        )

    def _later(self, before: _Left, after: _Left, *more: Aspect) -> None:
        """The same message, said at another time, or by another rule, or listing others."""
        for which, left in ((OLD, before), (NEW, after)):
            if left.said is not None:
                self._kept[which, left.rule, left.channel] -= 1
        aspects: list[Aspect] = list(more)
        if abs(before.at - after.at) > MOMENT:
            aspects.append("time")
        if before.events != after.events:
            aspects.append("events")
        row = self._row(after.rule, after.channel)
        if not self._made_alike(before.rule, after.rule, after.channel):
            row.unchecked += 1
        if not row.count("other", tuple(aspects)):
            return
        said = after.said or before.said
        if said is not None:
            row.examples.append(
                Change(
                    kind="other",
                    event=said.fates[0].event,
                    step=after.step,
                    aspects=tuple(aspects),
                    before=self._words(OLD, before.said) if before.said else None,
                    after=self._words(NEW, after.said) if after.said else None,
                    was=before.at,
                    at=after.at,
                    old_rule=before.rule if before.rule != after.rule else None,
                )
            )

    def _pair_by_events(self) -> None:
        """Pair what lists an event in common; first of one rule, then of one channel."""
        old, new = self._left
        for same_rule in (True, False):
            where: dict[tuple[str, str, int, int], Key] = {}
            for key, left in old.items():
                rule = left.rule if same_rule else ""
                for event in left.events:
                    where.setdefault((rule, left.channel, left.step, event), key)
            for key, left in list(new.items()):
                rule = left.rule if same_rule else ""
                for event in left.events:
                    found = where.get((rule, left.channel, left.step, event))
                    if found not in old:
                        continue
                    if same_rule or self._made_alike(old[found].rule, left.rule, left.channel):
                        more: list[Aspect] = [] if same_rule else ["rule"]
                        self._later(old.pop(found), new.pop(key), *more)
                        break

    def _alone(self, which: Which, left: _Left, later: dict[Key, Fate]) -> None:
        """Said by one side only, by the end of the window."""
        fate = next(
            (
                later[left.rule, left.channel, left.step, event]
                for event in left.events
                if (left.rule, left.channel, left.step, event) in later
            ),
            None,
        )
        kind: Kind = "other" if fate is not None else "gone" if which == OLD else "new"
        aspects: tuple[Aspect, ...] = () if fate is None else ("time",)
        row = self._row(left.rule, left.channel)
        if not row.count(kind, aspects) or left.said is None:
            return
        words = self._words(which, left.said)
        event = left.said.fates[0].event
        why = "" if fate is not None else self._why(1 - which, left, event)
        row.examples.append(
            Change(
                kind=kind,
                event=event,
                step=left.step,
                aspects=aspects,
                before=words if which == OLD else None,
                after=words if which == NEW else None,
                was=left.at if which == OLD else None,
                at=left.at if which == NEW else None,
                waits_until=None if fate is None else fate.due_at,
                why=why,
            )
        )

    def _why(self, which: int, left: _Left, event: Event) -> str:
        """Why a side does not say by itself what the other says."""
        if left.silent is not None:
            sent = left.silent.state == "sent"
            return "it is told in one message with others" if sent else left.silent.reason or ""
        table = self._sides[which].table
        if table.ruleset.rule(left.rule) is None:
            return "there is no such rule"
        found = next((d for d in table.explain(event) if d.rule == left.rule), None)
        return "" if found is None or found.matched else found.reason

    def _words(self, which: Which, said: Said) -> Message:
        return self._wording[which].words(said)

    def _made_alike(self, before: str, after: str, channel: str) -> bool:
        """Whether all that makes the words of two rules is the same."""
        key = (before, after, channel)
        found = self._alike.get(key)
        if found is None:
            old, new = self._wording
            found = old.makings(before, channel) == new.makings(after, channel)
            self._alike[key] = found
        return found


def _key(said: Said) -> Key:
    return key_of(said.fates[0])


def _alike(before: Said, after: Said) -> bool:
    """Whether two plain messages are said at one time, with as many held back before them."""
    single = len(before.fates) == len(after.fates) == 1
    same = before.at == after.at and before.held == after.held
    return single and same and before.digest == after.digest


def _ids(said: Said) -> tuple[int, ...]:
    return tuple(fate.event.id for fate in said.fates)
