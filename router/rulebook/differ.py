"""Telling how what was said differs from what a test expects: as a diff, and in sentences. Pure."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

import msgspec

from router.duration import write_duration
from router.rulebook.compare import Pair, Spoken, misses, side_by_side
from router.rulebook.rule_test import Expected, Proved, RuleTest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.event import Event
    from router.route import RoutingTable
    from router.said import Fate

LONGEST_DIFF = 200
_PLAIN = re.compile(r"[A-Za-z][\w.-]*(?: [\w.-]+)*|(?:\d+(?:ms|s|m|h|d))+")
_TRAPS = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false", "null"})
_MORE = "  # more than is listed, which `partial` allows"


class Heard(msgspec.Struct, frozen=True):
    """What was heard in a test: the messages, each delivery's fate, and what failed meanwhile."""

    spoken: tuple[Spoken, ...]
    fates: tuple[Fate, ...]
    faults: tuple[str, ...]


def tell(test: RuleTest, heard: Heard, table: RoutingTable) -> Proved:
    """A test that fails, with all that can be said about it."""
    pairs = side_by_side(test.expect, heard.spoken)
    reasons = [*heard.faults]
    told = [*heard.faults]
    for pair in pairs:
        if pair.spoken is None and pair.expected is not None:
            reason = f"not said: {_who(pair)}: {_why_not(pair.expected, test, heard, table)}"
            reasons.append(reason)
            told.append(reason)
        else:
            told += _differences(pair, partial=test.partial)
    return Proved(test, tuple(told), tuple(_diff(pairs, partial=test.partial)), tuple(reasons))


def scalar(value: Any) -> str:
    """A value as YAML, on one line; plain where that is the same text to every reader."""
    if not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    if _PLAIN.fullmatch(value) and value.lower() not in _TRAPS and value.isascii():
        return value
    return quoted(value)


def quoted(text: str) -> str:
    """A text in quotes, as YAML and people read it."""
    escaped = "".join(c if c.isprintable() and c not in '"\\' else _escaped(c) for c in text)
    return f'"{escaped}"'


def _escaped(char: str) -> str:
    code = ord(char)
    if char in '"\\':
        return f"\\{char}"
    return {"\n": "\\n", "\t": "\\t"}.get(char) or (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def _who(pair: Pair) -> str:
    expected, spoken = pair.expected, pair.spoken
    if expected is not None:
        return f"`{expected.rule}` to `{expected.channel}`"
    if spoken is None:
        raise AssertionError("a pair of nothing")
    return f"`{spoken.said.rule}` to `{spoken.said.channel}`"


def _differences(pair: Pair, *, partial: bool) -> Iterator[str]:
    expected, spoken = pair.expected, pair.spoken
    if spoken is None:
        return
    at, title = write_duration(spoken.at), quoted(spoken.message.title)
    if expected is None:
        if not partial:
            yield f"said, but not expected: {_who(pair)} at {at}: {title}"
        return
    whole, part = quoted(expected.title or ""), quoted(expected.title_contains or "")
    for key in misses(expected, spoken):
        told = {
            "at": f"it was said at {at}, not at {write_duration(expected.at or 0.0)}",
            "events": f"it lists {len(spoken.said.events)} events, not {expected.events}",
            "title": f"its title is {title}, not {whole}",
            "title_contains": f"its title is {title}; no {part} in it",
            "body": "its body is another",
            "body_contains": f"its body has no {quoted(expected.body_contains or '')} in it",
        }[key]
        yield f"{_who(pair)}: {told}"


def _why_not(expected: Expected, test: RuleTest, heard: Heard, table: RoutingTable) -> str:
    """Why an expected message was not said."""
    for one in heard.spoken:
        if not any(misses(expected, one)):
            return f"it was said at {write_duration(one.at)}, in another order"
    for fate in heard.fates:
        if (fate.rule, fate.channel) == (expected.rule, expected.channel) and fate.state != "sent":
            when = write_duration((fate.at if fate.at is not None else fate.due_at) - test.start)
            word = f"waits until {when}" if fate.state == "pending" else f"{fate.state} at {when}"
            return word + (f": {fate.reason}" if fate.reason else "")
    if any((f.rule, f.channel) == (expected.rule, expected.channel) for f in heard.fates):
        return "it was said, but not so often"
    reasons: dict[str, str] = {}
    for event in test.events:
        decision = next((d for d in table.explain(event) if d.rule == expected.rule), None)
        if decision is not None and not decision.matched:
            reasons.setdefault(decision.reason, _which(event, test))
    told = [f"{which}: {why}" for why, which in list(reasons.items())[:3]]
    return "; ".join(told) or "no event made it"


def _which(event: Event, test: RuleTest) -> str:
    if len(test.events) == 1:
        return "the event does not match"
    return f"the event at {write_duration(event.received_at - test.start)} does not match"


def _diff(pairs: Sequence[Pair], *, partial: bool) -> list[str]:
    expected: list[str] = []
    said: list[str] = []
    for pair in pairs:
        ours, theirs = _block(pair)
        if pair.expected is None and partial:
            theirs[0] += _MORE
            ours = theirs
        expected += ours
        said += theirs
    lines = list(difflib.unified_diff(expected, said, "expected", "said", n=5, lineterm=""))
    if len(lines) > LONGEST_DIFF:
        more = len(lines) - LONGEST_DIFF
        lines = [*lines[:LONGEST_DIFF], f"... and {more} lines more"]
    return lines


def _block(pair: Pair) -> tuple[list[str], list[str]]:
    """The lines of what is expected and of what was said; what agrees reads the same."""
    expected, spoken = pair.expected, pair.spoken
    wanted: dict[str, Any] = {}
    said: dict[str, Any] = {}
    if spoken is not None:
        said = {
            "rule": spoken.said.rule,
            "channel": spoken.said.channel,
            "at": write_duration(spoken.at),
            "title": spoken.message.title,
        }
        if spoken.said.digest or (expected is not None and expected.events is not None):
            said["events"] = len(spoken.said.events)
    if expected is not None:
        every = msgspec.structs.asdict(expected)
        named = {name: value for name, value in every.items() if value is not None}
        if expected.at is not None:
            named["at"] = write_duration(expected.at)
        wanted = {**said, **named}
        missed = set(misses(expected, spoken)) if spoken is not None else set()
        for name, value in named.items():
            if spoken is not None and name not in missed:
                said[name] = value
        if spoken is not None and missed & {"body", "body_contains"}:
            message = spoken.message
            said["body"] = message.text if message.format == "html" else message.body
    return _lines(wanted), _lines(said)


_ORDER = ("rule", "channel", "at", "events", "title", "title_contains", "body", "body_contains")


def _lines(block: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for name in _ORDER:
        if name not in block:
            continue
        value = block[name]
        if isinstance(value, str) and "\n" in value:
            lines += [f"{name}: |", *(f"  {line}" for line in value.rstrip("\n").split("\n"))]
        else:
            lines.append(f"{name}: {scalar(value)}")
    return [f"{'  ' if number else '- '}{line}" for number, line in enumerate(lines)]
