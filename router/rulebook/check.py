"""What is wrong with rules that read well: names that are not there, rules that can never speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.problem import Problem
from router.rulebook.fields import check_fields
from router.rulebook.overlap import hidden
from router.rulebook.told import check_told
from router.rulebook.words import check_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from router.problem import Position
    from router.rulebook.draft import Draft
    from router.rulebook.tree import Path, Tree
    from router.rules import Channel, Ruleset


def check(
    draft: Draft, ruleset: Ruleset, inspect_channel: Callable[[Channel], list[str]]
) -> list[Problem]:
    """Every problem of a ruleset whose main file could be read."""
    return [
        *_empty(draft),
        *_channels(draft, inspect_channel),
        *check_told(draft),
        *check_fields(draft),
        *hidden(draft.rules),
        *check_words(draft, ruleset),
    ]


def _empty(draft: Draft) -> Iterator[Problem]:
    data = [tree.data for tree in draft.trees if isinstance(tree.data, dict)]
    if draft.whole and not any(one.get("rules") for one in data):
        text = "there are no rules; nobody would be told anything"
        yield Problem(draft.main.key(("rules",)), text)
    if not draft.main.data.get("sources"):
        text = "there are no sources; nobody could post an event"
        yield Problem(draft.main.key(("sources",)), text)


def _channels(draft: Draft, inspect_channel: Callable[[Channel], list[str]]) -> Iterator[Problem]:
    tree = draft.main
    told = [problem.text for problem in tree.problems if problem.severity == "error"]
    for name, channel in draft.channels.items():
        path: Path = ("channels", name)
        # Where the shape is wrong, the service's own words would only repeat it.
        shaped = not any(f"channel `{name}`" in text for text in told)
        for text in inspect_channel(channel) if shaped else ():
            yield Problem(_near(tree, path, channel, text), f"channel `{name}`: {text}")


def _near(tree: Tree, path: Path, channel: Channel, text: str) -> Position:
    """The value of the key that an inspection's words begin with, or the service's key."""
    at = (*path, channel.service)
    words = text.split("`")[1::2]
    if channel.service == "url":
        whole = tree.value(at)
        inside = (tree.within(at, word) for word in sorted(words, key=lambda w: "://" in w))
        return next((where for where in inside if where != whole), whole)
    return next((tree.value((*at, w)) for w in words[:1] if tree.has((*at, w))), tree.key(at))
