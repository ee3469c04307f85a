"""What makes a rule's words, so that only words that can differ are compared; and their diff."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import msgspec

from router.render import closure
from router.said import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.message import Format, Message
    from router.render import Renderer
    from router.route import RoutingTable
    from router.rules import Ruleset
    from router.said import Said

WIDTH = 160
LINES = 12


class Side(msgspec.Struct, frozen=True):
    """A ruleset that is rehearsed: its table, its templates, and each channel's format."""

    table: RoutingTable
    renderer: Renderer
    formats: Mapping[str, Format]


class Makings(msgspec.Struct, frozen=True):
    """All that a rule's words to a channel are made of, beside the event and the rule's name."""

    title: str | None
    body: str | None
    family: str | None
    severity: str | None
    templates: dict[str, str]
    format: Format
    hide: frozenset[str]


class Wording:
    """The words of one side, and what makes them."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._ruleset = side.table.ruleset
        self._makings: dict[tuple[str, str], Makings] = {}

    def words(self, said: Said) -> Message:
        """The message as the service would send it."""
        return words_of(said, self._ruleset, self._side.renderer, self._side.formats.__getitem__)

    def makings(self, rule: str, channel: str) -> Makings:
        """What makes the words of a rule to a channel."""
        key = (rule, channel)
        if key not in self._makings:
            self._makings[key] = self._find(rule, channel)
        return self._makings[key]

    def _find(self, rule_name: str, channel: str) -> Makings:
        rule = self._ruleset.rule(rule_name)
        if rule is None:
            raise AssertionError(rule_name)
        target = rule.target(channel)
        family = target.template or rule.template
        title, body = (rule.title, rule.body) if target.template is None else (None, None)
        texts = [text for text in (title, body) if text is not None]
        return Makings(
            title=title,
            body=body,
            family=family,
            severity=rule.severity,
            templates=closure(self._ruleset.templates, family, texts),
            format=self._side.formats[channel],
            hide=self._ruleset.channels[channel].hide,
        )


def moved(old: Ruleset, new: Ruleset) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Channels of both rulesets whose far end is another: the keys that differ, no values."""
    for name, channel in new.channels.items():
        before = old.channels.get(name)
        if before is None:
            continue
        keys = {*before.options, *channel.options}
        differing = sorted(k for k in keys if before.options.get(k) != channel.options.get(k))
        if before.service != channel.service or differing:
            yield name, (channel.service, *differing)


def same_words(before: Message, after: Message) -> bool:
    """Whether two messages say the same, whoever says it."""
    names = ("title", "body", "text", "format", "severity", "colour", "link")
    return all(getattr(before, name) == getattr(after, name) for name in names)


def diff(before: Message, after: Message) -> list[str]:
    """The lines that differ, as `- old` and `+ new`; what only looks different is told in words."""
    lines = _changed(_lines(before), _lines(after))
    if not lines and before.body != after.body:
        lines = _changed(before.body.splitlines(), after.body.splitlines())
    for name in ("severity", "colour", "format", "link"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            lines += [f"- ({name} {old})", f"+ ({name} {new})"]
    for sign, message in (("-", before), ("+", after)):
        if message.fault is not None and before.fault != after.fault:
            lines.append(f"{sign} (template failed: {message.fault})")
    more = len(lines) - LINES
    return lines if more <= 0 else [*lines[:LINES], f"  ... and {more} lines more"]


def _lines(message: Message) -> list[str]:
    return [message.title, *message.text.splitlines()]


def _changed(before: list[str], after: list[str]) -> list[str]:
    made = difflib.ndiff(before[:200], after[:200])
    return [line.rstrip()[:WIDTH] for line in made if line[0] in "+-" and line[1:].strip()]
