"""Writing a test from an event that came: what the rules say about it, and nobody's name in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from router.condition import Equals
from router.duration import write_duration
from router.event import COMMON_FIELDS, TRIGGERS, Event
from router.match import tests_of
from router.problem import Position
from router.rulebook.differ import scalar
from router.rulebook.plausible import Plausible
from router.rulebook.prove import ENDLESS, Proof
from router.rulebook.rule_test import RuleTest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.message import Format
    from router.rulebook.compare import Spoken
    from router.rules import Rule, Ruleset

_KEYS = frozenset(
    {
        *("trigger", "process_key", "previous_state_key", "current_state_key"),
        *("transition_key", "document_keys", "action", "case_color"),
    }
)
"""Fields whose values are the tenant's own configuration."""
_KEY = re.compile(r"[\w.#-]{1,80}")
_READABLE = re.compile(r"([A-Za-z]{1,8}[-_ ]?)\d+")
_USUAL_START = 1_772_445_600.0
_WIDTH = 92


class Written(msgspec.Struct, frozen=True):
    """A test as YAML, to stand under `tests:`, and the rules and channels that it expects."""

    text: str
    expects: tuple[tuple[str, str], ...]


def as_test(event: Event, name: str, ruleset: Ruleset, formats: Mapping[str, Format]) -> Written:
    """Write a test that these rules pass: the event, and what they say about it by itself."""
    proof = Proof(ruleset, formats)
    start = float(int(event.received_at))
    given = _needed(_given(event, ruleset), event.source, start, proof)
    heard = proof.hear(_test(event.source, given, start, None))
    until = None
    spoken = heard.spoken
    if ENDLESS in heard.faults:
        spoken = spoken[:3]
        until = spoken[-1].at if spoken else 0.0
    usual = proof.hear(_test(event.source, given, _USUAL_START, until)).spoken
    rules = [ruleset.rule(fate.rule) for fate in heard.fates]
    timed = any(rule is not None and _by_a_calendar(rule) for rule in rules)
    lines = [f"- name: {scalar(name)}"]
    lines += [f"  # it fails as it is: {fault}" for fault in heard.faults if fault != ENDLESS]
    if timed or [*map(_line, usual)] != [*map(_line, spoken)]:
        lines.append(f"  start: {datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H:%M:%SZ}")
    if event.source != next(iter(ruleset.sources), event.source):
        given["source"] = event.source
    lines += _mapping("  event:", given)
    if until is not None:
        lines.append(f"  until: {write_duration(until)}")
    lines.append("  expect:" if spoken else "  expect: []")
    for one in spoken:
        lines += _mapping("    -", _line(one))
    told = tuple((one.said.rule, one.said.channel) for one in spoken)
    return Written("\n".join(lines) + "\n", told)


def _needed(given: dict[str, Any], source: str, start: float, proof: Proof) -> dict[str, Any]:
    """What matters of an event: what rules test, and what changes the words."""
    tested = {path.partition(".")[0] for path, _ in _named(proof.ruleset)} | {"trigger"}
    said = [*map(_line, proof.hear(_test(source, given, start, None)).spoken)]
    for name in [name for name in given if name not in tested]:
        less = {key: value for key, value in given.items() if key != name}
        if [*map(_line, proof.hear(_test(source, less, start, None)).spoken)] == said:
            given = less
    return given


def _test(source: str, given: dict[str, Any], start: float, until: float | None) -> RuleTest:
    fields = Plausible().complete(given)
    event = Event(1, source, start, msgspec.json.encode(fields), fields)
    where = Position("", 1, 1)
    return RuleTest(
        name="", start=start, events=(event,), until=until, expect=(), partial=True, position=where
    )


def _line(spoken: Spoken) -> dict[str, Any]:
    """One expectation."""
    said = spoken.said
    line: dict[str, Any] = {"rule": said.rule, "channel": said.channel}
    if spoken.at:
        line["at"] = write_duration(spoken.at)
    if said.digest:
        line["events"] = len(said.events)
    return line | {"title": spoken.message.title}


def _by_a_calendar(rule: Rule) -> bool:
    at = rule.digest is not None and rule.digest.at is not None
    return rule.calendar is not None or rule.hours is not None or at


def _given(event: Event, ruleset: Ruleset) -> dict[str, Any]:
    """What has to be named of an event: what differs from the plausible, nothing personal."""
    named = _named(ruleset)
    fields = event.fields
    carried = (*COMMON_FIELDS, *TRIGGERS.get(event.trigger, ()))
    found = {name: _replaced(name, fields.get(name), named) for name in carried}
    for name, value in fields.items():
        if name not in found and name != "source" and _KEY.fullmatch(name):
            found[name] = _replaced(name, value, named)
    usual = Plausible().complete({"trigger": event.trigger})
    tested = {path for path, _ in named if path in _KEYS}
    return {
        name: value
        for name, value in found.items()
        if name in tested or name == "trigger" or name not in usual or value != usual[name]
    }


def _named(ruleset: Ruleset) -> set[tuple[str, Any]]:
    """The fields that conditions name, and the values they name, which are no secret of an event.

    A field whose test names no value stands there with None.
    """
    found: set[tuple[str, Any]] = set()
    for rule in ruleset.rules:
        for when in (rule.when, rule.unless, rule.unmatched):
            for line in tests_of(when) if when is not None else ():
                found |= {(line.path, None), *((line.path, value) for value in _values(line.test))}
    return found


def _values(test: Any) -> Iterator[Any]:
    if isinstance(test, Equals):
        yield test.value
    for inner in (*getattr(test, "tests", ()), *filter(None, [getattr(test, "test", None)])):
        yield from _values(inner)


def _replaced(path: str, value: Any, named: set[tuple[str, Any]]) -> Any:
    """A value of the same kind, as it may be shown to anybody."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        keys = [key for key in value if _KEY.fullmatch(key)]
        return {key: _replaced(f"{path}.{key}", value[key], named) for key in keys}
    if isinstance(value, list):
        return [_replaced(path, item, named) for item in value]
    if (path, value) in named or path in {"case_version", "trigger"}:
        return value
    if path in _KEYS and isinstance(value, str) and _KEY.fullmatch(value):
        return value
    if path == "case_user_readable_id" and (found := _READABLE.fullmatch(str(value))):
        return f"{found[1]}0042"
    usual = Plausible().complete({"trigger": "case_created"}).get(path)
    if usual is not None and isinstance(usual, str) == isinstance(value, str):
        return usual
    if isinstance(value, str):
        return str(usual) if usual is not None else "text"
    return 1


def _mapping(begin: str, data: dict[str, Any]) -> list[str]:
    """A mapping on one line, or on several where it is long."""
    flow = f"{begin} {_flow(data)}"
    if len(flow) <= _WIDTH:
        return [flow]
    inner = " " * (len(begin) - len(begin.lstrip()) + 2)
    lines = [f"{inner}{scalar(key)}: {_flow(value)}" for key, value in data.items()]
    if begin.endswith("-"):
        return [f"{begin} {lines[0].lstrip()}", *lines[1:]]
    return [begin, *lines]


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{scalar(key)}: {_flow(item)}" for key, item in value.items())
        return f"{{ {inside} }}" if value else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return scalar(value)
