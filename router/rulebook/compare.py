"""Holding what was said against what is expected: does it fit, and which belongs to which? Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.message import Message
from router.rulebook.rule_test import Expected
from router.said import Said

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SAME_MOMENT = 0.0005
"""Seconds within which two moments are one: half of the shortest duration that can be written."""
_ALIGNED = 40_000


class Spoken(msgspec.Struct, frozen=True):
    """One message that was said: when (seconds from the start), and its words."""

    at: float
    said: Said
    message: Message


class Pair(msgspec.Struct, frozen=True):
    """What is expected and what was said, side by side; one of them may be missing."""

    expected: Expected | None
    spoken: Spoken | None


def misses(expected: Expected, spoken: Spoken) -> Iterator[str]:
    """The keys of an expectation that a message does not meet."""
    said, message = spoken.said, spoken.message
    if expected.rule != said.rule:
        yield "rule"
    if expected.channel != said.channel:
        yield "channel"
    if expected.at is not None and abs(expected.at - spoken.at) > SAME_MOMENT:
        yield "at"
    if expected.events is not None and expected.events != len(said.events):
        yield "events"
    if expected.title is not None and expected.title != message.title:
        yield "title"
    if expected.title_contains is not None and expected.title_contains not in message.title:
        yield "title_contains"
    # A mail has two bodies; who writes a test may mean either.
    bodies = (message.body, message.text)
    if expected.body is not None and expected.body.rstrip("\n") not in bodies:
        yield "body"
    text = expected.body_contains
    if text is not None and not any(text in body for body in bodies):
        yield "body_contains"


def fits(expected: Sequence[Expected], spoken: Sequence[Spoken], *, partial: bool) -> bool:
    """Whether that is what was said, in this order; of the same moment, in any.

    With `partial`, more may have been said.
    """
    at = 0
    for group in _moments(spoken):
        met = _first(expected[at:], group)
        if not partial and met < len(group):
            return False
        at += met
    return at == len(expected)


def side_by_side(expected: Sequence[Expected], spoken: Sequence[Spoken]) -> list[Pair]:
    """Both in order, what belongs together as a pair: as much as possible."""
    ordered: list[Spoken] = []
    place = {(one.rule, one.channel): number for number, one in reversed([*enumerate(expected)])}
    for group in _moments(spoken):
        ordered += sorted(group, key=lambda s: place.get((s.said.rule, s.said.channel), 0))
    if len(expected) * len(ordered) > _ALIGNED:
        return [*(Pair(one, None) for one in expected), *(Pair(None, one) for one in ordered)]
    return _aligned(expected, ordered)


def _moments(spoken: Sequence[Spoken]) -> Iterator[list[Spoken]]:
    """What was said at the same moment, together."""
    group: list[Spoken] = []
    for one in spoken:
        if group and one.at - group[0].at > SAME_MOMENT:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _first(expected: Sequence[Expected], group: Sequence[Spoken]) -> int:
    """How many expectations, from the first on, the messages of one moment meet: each its own."""
    taken: dict[int, int] = {}  # message -> expectation

    def find(wanted: int, seen: set[int]) -> bool:
        """Find it a message, a free one if there is, otherwise one whose owner finds another."""
        met = [n for n, one in enumerate(group) if not any(misses(expected[wanted], one))]
        free = next((number for number in met if number not in taken), None)
        if free is not None:
            taken[free] = wanted
            return True
        for number in met:
            if number not in seen:
                seen.add(number)
                if find(taken[number], seen):
                    taken[number] = wanted
                    return True
        return False

    for wanted in range(min(len(expected), len(group))):
        if not find(wanted, set()):
            return wanted
    return min(len(expected), len(group))


def _aligned(expected: Sequence[Expected], spoken: Sequence[Spoken]) -> list[Pair]:
    """The best pairs that keep both orders: whole fits count most, then rule and channel."""
    gains = [[_gain(one, other) for other in spoken] for one in expected]
    best = [[0] * (len(spoken) + 1) for _ in range(len(expected) + 1)]
    for i in range(len(expected) - 1, -1, -1):
        for j in range(len(spoken) - 1, -1, -1):
            together = best[i + 1][j + 1] + gains[i][j] if gains[i][j] else 0
            best[i][j] = max(together, best[i + 1][j], best[i][j + 1])
    pairs = []
    i = j = 0
    while i < len(expected) or j < len(spoken):
        inside = i < len(expected) and j < len(spoken)
        if inside and gains[i][j] and best[i][j] == best[i + 1][j + 1] + gains[i][j]:
            pairs.append(Pair(expected[i], spoken[j]))
            i, j = i + 1, j + 1
        elif j == len(spoken) or (inside and best[i][j] == best[i + 1][j]):
            pairs.append(Pair(expected[i], None))
            i += 1
        else:
            pairs.append(Pair(None, spoken[j]))
            j += 1
    return pairs


def _gain(expected: Expected, spoken: Spoken) -> int:
    missed = set(misses(expected, spoken))
    if not missed:
        return 100
    return 0 if missed & {"rule", "channel"} else max(1, 10 - len(missed))
