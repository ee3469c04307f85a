"""Coverage: which kinds of events there were, and which of them no rule speaks about. Pure.

A kind is a source, trigger, process, state and transition. A rule that speaks `otherwise` does
not count as speaking about a kind: it tells that no other did.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from router.condition import Equals, Every, NoElement, NotTest, OneOf, Test, Together
from router.event import KNOWN_FIELDS
from router.match import show_value, tests_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.event import Event
    from router.route import RoutingTable

STATES = ("previous_state_key", "current_state_key")
WORDS = ("process_key", *STATES, "transition_key", "action", "document_keys")
"""The fields whose values are a vocabulary: few words that come again."""
MOST = 300
"""A field with more values than that has no vocabulary."""
LONGEST = 100


class Kind(NamedTuple):
    """What events have in common; None where they have none."""

    source: str
    trigger: str
    process: str | None
    state: str | None
    transition: str | None


class Seen(msgspec.Struct):
    """How many events of a kind there were, when last (epoch seconds), and who spoke about them.

    `rules` counts the events each rule spoke about; `silent` those that none did; `rest` those of
    them that a rule told as the rest.
    """

    number: int = 0
    last: float = 0.0
    silent: int = 0
    rules: Counter[str] = msgspec.field(default_factory=Counter)
    rest: Counter[str] = msgspec.field(default_factory=Counter)


class Coverage:
    """Learns from events, one after the other."""

    def __init__(self, table: RoutingTable) -> None:
        self._table = table
        self._rest = {rule.name for rule in table.ruleset.rules if rule.when is None}
        self._seen: dict[Kind, Seen] = {}
        self._words: dict[str, Counter[str | int | float]] = {name: Counter() for name in WORDS}
        self.number = 0
        self.failed: Counter[str] = Counter()
        """How often each rule failed: neither a yes nor a no."""

    def add(self, event: Event) -> None:
        """Learn from an event."""
        fields = event.fields
        kind = Kind(
            event.source,
            event.trigger[:LONGEST],
            _word(fields.get("process_key")),
            _word(fields.get("current_state_key")),
            _word(fields.get("transition_key")),
        )
        seen = self._seen.get(kind)
        if seen is None:
            seen = self._seen[kind] = Seen()
        routing = self._table.route(event)
        self.failed.update({rule for rule, _ in routing.errors})
        rules = list(dict.fromkeys(planned.rule for planned in routing.planned))
        told = [name for name in rules if name not in self._rest]
        self.number += 1
        seen.number += 1
        seen.last = max(seen.last, event.received_at)
        seen.rules.update(told)
        if not told:
            seen.silent += 1
            seen.rest.update(rules)
        for name, value in fields.items():
            if name in self._words or (name not in KNOWN_FIELDS and _is_key(name)):
                self._learn(name, value)

    def kinds(self) -> list[tuple[Kind, Seen]]:
        """Every kind: first those that nobody speaks about, then partly, then the others."""

        def order(found: tuple[Kind, Seen]) -> tuple[Any, ...]:
            kind, seen = found
            told = 2 if not seen.silent else 1 if seen.rules else 0
            return (told, -seen.number, tuple(str(part or "") for part in kind))

        return sorted(self._seen.items(), key=order)

    def never(self) -> list[str]:
        """The rules that are asked and spoke about nothing, in the order of the file."""
        spoke = {name for seen in self._seen.values() for name in (*seen.rules, *seen.rest)}
        return [
            rule.name
            for rule in self._table.ruleset.rules
            if rule.enabled and rule.unmatched is None and rule.name not in spoke
        ]

    def vocabulary(self) -> dict[str, list[str | int | float]]:
        """The words of each field that has a vocabulary, the states' in common."""
        words = {name: set(found) for name, found in self._words.items() if found}
        states = set().union(*(words.get(name, set()) for name in STATES))
        words.update((name, states) for name in STATES if states)
        return {
            name: sorted(found, key=lambda word: (isinstance(word, str), word))
            for name, found in words.items()
            if len(found) <= MOST
        }

    def unseen(self) -> list[tuple[str, str, str | int | float]]:
        """Rule, field and word, where a rule names a word that never came."""
        words = self.vocabulary()
        found: dict[tuple[str, str, str | int | float], None] = {}
        for rule in self._table.ruleset.rules:
            for condition in (rule.when, rule.unless) if rule.enabled else ():
                for line in tests_of(condition) if condition is not None else ():
                    if line.path in words:
                        for word in _named(line.test):
                            if word not in words[line.path]:
                                found[rule.name, line.path, word] = None
        return list(found)

    def _learn(self, name: str, value: Any) -> None:
        words = self._words.setdefault(name, Counter())
        for word in value if isinstance(value, list) else (value,):
            if isinstance(word, str | int | float) and not isinstance(word, bool):
                short = not isinstance(word, str) or 0 < len(word) <= LONGEST
                if short and len(words) <= MOST:
                    words[word] += 1


def known_block(vocabulary: dict[str, list[str | int | float]]) -> str:
    """A vocabulary as the `known:` of a rules file."""
    lines = ["known:"]
    for name, words in vocabulary.items():
        listed = ", ".join(_yaml(word) for word in words)
        line = f"  {_yaml(name)}: [{listed}]"
        if len(line) > 100:
            line = f"  {_yaml(name)}:\n" + "\n".join(f"    - {_yaml(word)}" for word in words)
        lines.append(line)
    return "\n".join(lines if vocabulary else ["known: {}"]) + "\n"


def _yaml(word: str | float) -> str:
    """A word as YAML: plain where no reader can take it for something else."""
    if not isinstance(word, str):
        return json.dumps(word)
    if _PLAIN.fullmatch(word) and word.lower() not in _TRAPS:
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(s if s.isprintable() else f"\\U{ord(s):08x}" for s in escaped) + '"'


def _word(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value if value is None or len(value) <= LONGEST else value[:LONGEST] + "\u2026"
    return show_value(value)


def _is_key(name: str) -> bool:
    """Whether a field that atfinity may send one day holds words and not what people wrote."""
    return name.endswith(("_key", "_keys"))


def _named(test: Test) -> Iterator[str | int | float]:
    match test:
        case Equals(value=value):
            if not isinstance(value, bool):
                yield value
        case OneOf(tests=tests) | Together(tests=tests):
            for inner in tests:
                yield from _named(inner)
        case NotTest(test=inner) | Every(test=inner) | NoElement(test=inner):
            yield from _named(inner)
        case _:
            return


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_TRAPS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
