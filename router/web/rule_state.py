"""How the rules do, as their page and the API tell it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from router.graph import Graph, graph_of
from router.ledger import Mute, Tally
from router.view import iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.problem import Position
    from router.rules import Rule, Ruleset

DAYS = 30
"""Days that matches are counted over."""

Word = Literal["matched", "never matched", "muted", "parked"]
Show = Literal["", "never", "muted", "parked", "matched"]
SHOWS: dict[Show, str] = {
    "": "all",
    "never": "never matched",
    "matched": "matched",
    "muted": "muted",
    "parked": "parked",
}


class RuleState(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: a word, how many events it matched in DAYS days, when the last one was."""

    rule: Rule
    word: Word
    number: int
    last: float | None
    mute: Mute | None

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels it tells, those of its escalations last."""
        later = (target for step in self.rule.escalate for target in step.targets)
        return tuple(dict.fromkeys(target.channel for target in (*self.rule.targets, *later)))


def rule_states(
    ruleset: Ruleset, matched: Mapping[str, Tally], mutes: Sequence[Mute]
) -> list[RuleState]:
    """Every rule's state, in the order of the file."""
    silent = {mute.name: mute for mute in mutes if mute.kind == "rule"}
    return [_state(rule, matched.get(rule.name), silent.get(rule.name)) for rule in ruleset.rules]


def narrow(states: Sequence[RuleState], show: Show, text: str) -> list[RuleState]:
    """Those that are to be shown: of one kind, and with a text in their name or channels."""
    wanted = {"never": "never matched"}.get(show, show)
    words = text.casefold()
    return [
        state
        for state in states
        if (not wanted or state.word == wanted or (wanted == "matched" and state.number))
        and (not words or any(words in name.casefold() for name in _names(state)))
    ]


def source_of(position: Position | None, files: Mapping[str, str]) -> tuple[int, str]:
    """The lines of the file that are a rule, and the number of the first of them.

    They begin with its dash and end before what is no deeper than that. (0, "") if they are not
    to be found.
    """
    if position is None or position.file not in files:
        return 0, ""
    lines = files[position.file].splitlines()
    if not 0 < position.line <= len(lines):
        return 0, ""
    first = position.line - 1
    while first > 0 and not lines[first].lstrip().startswith("-"):
        first -= 1
    depth = _depth(lines[first])
    last = first + 1
    while last < len(lines) and (not _says(lines[last]) or _depth(lines[last]) > depth):
        last += 1
    while last > first + 1 and not _says(lines[last - 1]):
        last -= 1
    cut = [line[depth:] if not line[:depth].strip() else line for line in lines[first:last]]
    return first + 1, "\n".join(cut)


def graph_of_some(ruleset: Ruleset, states: Sequence[RuleState]) -> Graph:
    """The routing graph of these rules, and of the channels they reach."""
    rules = tuple(state.rule for state in states)
    every = len(rules) == len(ruleset.rules)
    reached = {name for state in states for name in state.channels}
    for name in tuple(reached):
        at: str | None = name
        while at is not None:  # a fallback's fallback too; check lets no circle pass
            reached.add(at)
            at = ruleset.channels[at].fallback if at in ruleset.channels else None
            if at in reached:
                break
    channels = {name: one for name, one in ruleset.channels.items() if every or name in reached}
    watches = ruleset.watches if every else ()
    some = msgspec.structs.replace(ruleset, rules=rules, channels=channels, watches=watches)
    return graph_of(some)


def rule_view(state: RuleState) -> dict[str, Any]:
    """A rule as the API tells it."""
    rule = state.rule
    return {
        "name": rule.name,
        "enabled": rule.enabled,
        "otherwise": rule.when is None,
        "stop": rule.stop,
        "channels": [target.channel for target in rule.targets],
        "template": rule.template,
        "severity": rule.severity,
        "line": rule.position.line if rule.position else None,
        "file": rule.position.file if rule.position else None,
        "state": state.word,
        "matched_30d": state.number,
        "last_matched": None if state.last is None else iso(state.last),
        "muted_until": None if state.mute is None else iso(state.mute.until),
    }


def _state(rule: Rule, matched: Tally | None, mute: Mute | None) -> RuleState:
    number = 0 if matched is None else matched.number
    word: Word = "matched" if number else "never matched"
    if mute is not None:
        word = "muted"
    if not rule.enabled:
        word = "parked"
    last = None if matched is None else matched.last
    return RuleState(rule=rule, word=word, number=number, last=last, mute=mute)


def _names(state: RuleState) -> tuple[str, ...]:
    return (state.rule.name, *state.channels)


def _says(line: str) -> bool:
    words = line.strip()
    return bool(words) and not words.startswith("#")


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
