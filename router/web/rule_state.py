"""How the rules do, as their page and the API tell it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from router.graph import Graph, graph_of
from router.ledger import Mute, Tally
from router.view import iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.in_force import InForce
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
    """One rule: a word, how many events it matched in DAYS days, when the last one was.

    `tests` are the names of those that expect it to speak; all of them pass.
    """

    rule: Rule
    word: Word
    number: int
    last: float | None
    mute: Mute | None
    tests: tuple[str, ...]

    @property
    def channels(self) -> dict[str, str]:
        """The channels it tells, and the word for those that it tells only in an escalation."""
        first = {target.channel: "" for target in self.rule.targets}
        later = (target for step in self.rule.escalate for target in step.targets)
        return first | {t.channel: "escalation" for t in later if t.channel not in first}


def rule_states(
    force: InForce, matched: Mapping[str, Tally], mutes: Sequence[Mute]
) -> list[RuleState]:
    """Every rule's state, in the order of the file."""
    silent = {mute.name: mute for mute in mutes if mute.kind == "rule"}
    tests: dict[str, list[str]] = {}
    for test in force.tests:
        for name in dict.fromkeys(expected.rule for expected in test.expect):
            tests.setdefault(name, []).append(test.name)
    states = []
    for rule in force.ruleset.rules:
        mute = silent.get(rule.name)
        found = matched.get(rule.name)
        states.append(
            RuleState(
                rule=rule,
                word=_word(rule, found, mute),
                number=0 if found is None else found.number,
                last=None if found is None else found.last,
                mute=mute,
                tests=tuple(tests.get(rule.name, ())),
            )
        )
    return states


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


def sources_of(states: Sequence[RuleState], files: Mapping[str, str]) -> list[tuple[int, str]]:
    """For each rule the number of its first line in its file, and the lines that say it.

    They begin with its dash and end before what is no deeper than that. (0, "") if they are not
    to be found.
    """
    lines: dict[str, list[str]] = {}
    for state in states:
        name = state.rule.position.file if state.rule.position else ""
        if name in files and name not in lines:
            lines[name] = files[name].splitlines()
    return [_source(state.rule.position, lines) for state in states]


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


def sources_heard(graph: Graph) -> dict[str, list[str]]:
    """The sources that each rule of a graph may hear."""
    heard: dict[str, list[str]] = {}
    for link in graph.links:
        if link.start.kind == "source":
            heard.setdefault(link.end.name, []).append(link.start.name)
    return heard


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
        "tests": list(state.tests),
        "muted_until": None if state.mute is None else iso(state.mute.until),
    }


def _word(rule: Rule, matched: Tally | None, mute: Mute | None) -> Word:
    if not rule.enabled:
        return "parked"
    if mute is not None:
        return "muted"
    return "never matched" if matched is None else "matched"


def _names(state: RuleState) -> tuple[str, ...]:
    return (state.rule.name, *state.channels)


def _source(position: Position | None, files: Mapping[str, list[str]]) -> tuple[int, str]:
    if position is None or position.file not in files:
        return 0, ""
    lines = files[position.file]
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


def _says(line: str) -> bool:
    words = line.strip()
    return bool(words) and not words.startswith("#")


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
