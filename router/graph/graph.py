"""Who is told what: the nodes and links of a ruleset, with counts where history is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from router.match import possible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.rules import Rule, Ruleset

Kind = Literal["source", "rule", "channel"]
ITSELF = "the router itself"
"""The source of what watches tell."""


class Counts(msgspec.Struct, frozen=True):
    """What history tells: events by source, events a rule spoke about by (source, rule), and
    deliveries by (rule, channel)."""

    received: dict[str, int]
    spoke: dict[tuple[str, str], int]
    told: dict[tuple[str, str], int]


class Node(msgspec.Struct, frozen=True):
    """A source, rule or channel; `word` says what is particular about it (`parked`)."""

    kind: Kind
    name: str
    word: str = ""
    number: int | None = None


class Link(msgspec.Struct, frozen=True):
    """A source that a rule hears, a channel that a rule tells, or a channel's fallback.

    `sure` is false for what happens only sometimes: an escalation, a fallback.
    """

    start: Node
    end: Node
    word: str = ""
    number: int | None = None

    @property
    def sure(self) -> bool:
        return not self.word


class Graph(msgspec.Struct, frozen=True):
    """Nodes in the order of the file, and their links; `counted` is whether history is known."""

    sources: tuple[Node, ...]
    rules: tuple[Node, ...]
    channels: tuple[Node, ...]
    links: tuple[Link, ...]
    counted: bool


def graph_of(ruleset: Ruleset, counts: Counts | None = None) -> Graph:
    """The graph of a ruleset; a rule that cannot hear a source has no link from it."""
    sources = {name: _source(name, counts) for name in ruleset.sources}
    channels = {
        name: _channel(name, counts, paused=channel.paused)
        for name, channel in ruleset.channels.items()
    }
    rules: list[Node] = []
    links: list[Link] = []
    for rule in ruleset.rules:
        node = Node("rule", rule.name, _word(rule), _spoke(rule.name, counts))
        rules.append(node)
        for name in _heard(rule, ruleset):
            number = None if counts is None else counts.spoke.get((name, rule.name), 0)
            links.append(Link(sources[name], node, "", number))
        for name, word in _told(rule):
            number = None if counts is None else counts.told.get((rule.name, name), 0)
            links.append(Link(node, channels[name], word, number))
    own = Node("source", ITSELF)
    for watch in ruleset.watches:
        node = Node("rule", watch.name)
        rules.append(node)
        links.append(Link(own, node))
        for name in dict.fromkeys(target.channel for target in watch.targets):
            number = None if counts is None else counts.told.get((watch.name, name), 0)
            links.append(Link(node, channels[name], "", number))
    for name, channel in ruleset.channels.items():
        if channel.fallback is not None:
            links.append(Link(channels[name], channels[channel.fallback], "fallback"))
    heard = (*sources.values(), *([own] if ruleset.watches else []))
    told = tuple(channels.values())
    return Graph(heard, tuple(rules), told, tuple(links), counts is not None)


def _source(name: str, counts: Counts | None) -> Node:
    return Node("source", name, "", None if counts is None else counts.received.get(name, 0))


def _channel(name: str, counts: Counts | None, *, paused: bool) -> Node:
    number = None
    if counts is not None:
        number = sum(n for (_, channel), n in counts.told.items() if channel == name)
    return Node("channel", name, "paused" if paused else "", number)


def _spoke(rule: str, counts: Counts | None) -> int | None:
    if counts is None:
        return None
    return sum(number for (_, name), number in counts.spoke.items() if name == rule)


def _word(rule: Rule) -> str:
    if not rule.enabled:
        return "parked"
    if rule.when is None:
        return "otherwise"
    return "stops" if rule.stop else ""


def _heard(rule: Rule, ruleset: Ruleset) -> Iterator[str]:
    """The sources from which some event could let the rule speak."""
    condition = rule.unmatched if rule.when is None else rule.when
    for name in ruleset.sources:
        if condition is None or possible(condition, {"source": name}) is not False:
            yield name


def _told(rule: Rule) -> Iterator[tuple[str, str]]:
    """The channels a rule tells, and as what: with no word for the message itself."""
    first = dict.fromkeys(target.channel for target in rule.targets)
    yield from ((name, "") for name in first)
    others = dict.fromkeys(t.channel for step in rule.escalate for t in step.targets)
    yield from ((name, "escalation") for name in others if name not in first)
