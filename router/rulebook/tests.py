"""Reading `tests:`: from data with positions to events and expectations."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from router.duration import parse_duration
from router.event import KNOWN_FIELDS, TRIGGERS, Event
from router.problem import Problem, closest, suggest
from router.rulebook.plausible import Plausible
from router.rulebook.reach import carriers
from router.rulebook.rule_test import Expected, RuleTest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from router.calendar import Calendar
    from router.problem import Position
    from router.rulebook.tree import Path, Tree
    from router.rules import Rule

ALIKE = 0.88
"""How like a known word an unknown one is to be, to be taken for a slip: new ones may come."""
USUAL_START = "2026-03-02T10:00"
"""A Monday on which most places are open."""


class Known(msgspec.Struct, frozen=True):
    """What tests can name: sources, rules by name, channels, and the calendars' clocks."""

    sources: Collection[str]
    rules: Mapping[str, Rule]
    channels: Collection[str]
    calendars: Mapping[str, Calendar]

    @property
    def zones(self) -> set[str]:
        return {calendar.timezone for calendar in self.calendars.values()}


def read_tests(trees: Iterable[Tree], known: Known) -> list[RuleTest]:
    """The tests of these files; what is wrong is told to their trees."""
    taken: dict[str, Position] = {}
    return [test for tree in trees for test in _Reader(tree, known).read(taken)]


class _Reader:
    def __init__(self, tree: Tree, known: Known) -> None:
        self._tree = tree
        self._known = known
        self._who = ""

    def read(self, taken: dict[str, Position]) -> list[RuleTest]:
        """The file's tests; `taken` are the names of tests so far, and where they stand."""
        found = []
        given = self._tree.data.get("tests") if isinstance(self._tree.data, dict) else None
        for number, data in enumerate(given if isinstance(given, list) else []):
            if not isinstance(data, dict) or not isinstance(data.get("name"), str):
                continue  # the shape's check has told it
            path: Path = ("tests", number)
            name, where = data["name"], self._tree.value((*path, "name"))
            if name in taken:
                note = f"the other stands in {taken[name].file}, line {taken[name].line}"
                self._tree.tell(where, f"two tests are named `{name}`", note)
                continue
            taken[name] = where
            self._who = f"test `{name}`"
            found.append(self._test(data, path, where))
        return found

    def _test(self, data: Mapping[str, Any], path: Path, where: Position) -> RuleTest:
        start = self._start(data.get("start"), (*path, "start"))
        steps = self._steps(data, path)
        until = None
        if data.get("until") is not None:
            until = self._duration(data["until"], (*path, "until"))
            if steps and until < steps[-1][0]:
                text = "`until` is before the last step; that event would never come"
                self._tell((*path, "until"), text)
        expect = data.get("expect")
        expect = expect if isinstance(expect, list) else []
        partial = data.get("partial") is True
        if partial and not expect:
            note = "name what has to be said, or take `partial` away"
            text = "with `partial: true` and nothing expected, it cannot fail"
            self._tell((*path, "partial"), text, note, at_key=True)
        return RuleTest(
            name=str(data["name"]),
            start=start,
            events=self._events(start, steps),
            until=until,
            expect=tuple(
                self._expected(one, (*path, "expect", number))
                for number, one in enumerate(expect)
                if isinstance(one, dict)
            ),
            partial=partial,
            position=where,
        )

    def _steps(
        self, data: Mapping[str, Any], path: Path
    ) -> list[tuple[float, dict[str, Any], Path]]:
        """When each event comes, what is given of it, and where that stands."""
        if ("event" in data) == ("steps" in data):
            told = "both `event` and `steps`" if "event" in data else "neither `event` nor `steps`"
            note = "one event, or several as `steps: [{ at: 0h, event: ... }, ...]`"
            self._tell((*path, "name"), f"it has {told}", note)
            return []
        if isinstance(data.get("event"), dict):
            return [(0.0, data["event"], (*path, "event"))]
        found: list[tuple[float, dict[str, Any], Path]] = []
        steps = data.get("steps")
        for number, step in enumerate(steps if isinstance(steps, list) else []):
            if not isinstance(step, dict) or not isinstance(step.get("event"), dict):
                continue
            at: Path = (*path, "steps", number)
            moment = self._duration(step.get("at"), (*at, "at"))
            if found and moment < found[-1][0]:
                text = f"the step at {step.get('at')} stands after a later one; put them in order"
                self._tell((*at, "at"), text)
                moment = found[-1][0]
            found.append((moment, step["event"], (*at, "event")))
        return found

    def _events(
        self, start: float, steps: list[tuple[float, dict[str, Any], Path]]
    ) -> tuple[Event, ...]:
        plausible = Plausible()
        events = []
        for number, (at, given, path) in enumerate(steps, 1):
            trigger = given.get("trigger")
            if not isinstance(trigger, str) or not trigger:
                text = "the event has no `trigger`" if trigger is None else "`trigger` is a text"
                self._tell((*path, "trigger"), text, "like `trigger: case_created`")
                continue
            source = self._source(given, path)
            self._look(trigger, given, path)
            named = {name: value for name, value in given.items() if name != "source"}
            try:
                fields = plausible.complete(named)
                body = msgspec.json.encode(fields)
            except (OverflowError, UnicodeEncodeError):
                self._tell(path, "atfinity could not post this: JSON has no such number or text")
                continue
            events.append(Event(number, source, start + at, body, fields))
        return tuple(events)

    def _source(self, given: Mapping[str, Any], path: Path) -> str:
        """Who posts it: the first source, unless the event names another."""
        sources = list(self._known.sources)
        if "source" not in given:
            return sources[0] if sources else "source"
        source = given["source"]
        if source not in sources:
            note = suggest(str(source), sources)
            self._tell((*path, "source"), f"it posts from unknown source `{source}`", note)
        return str(source)

    def _look(self, trigger: str, given: Mapping[str, Any], path: Path) -> None:
        """Warn of what was probably meant otherwise: any field and trigger is allowed."""
        if trigger not in TRIGGERS and (guess := closest(trigger, TRIGGERS, ALIKE)) is not None:
            text = f"its event is a `{trigger}`, which atfinity does not send"
            self._warn((*path, "trigger"), text, f"did you mean `{guess}`?")
        for name in given:
            if name in KNOWN_FIELDS:
                if trigger in TRIGGERS and trigger not in carriers(name):
                    text = f"`{trigger}` events carry no `{name}`"
                    note = f"events that do: {', '.join(sorted(carriers(name)))}"
                    self._warn((*path, name), text, note)
            elif name != "source" and (guess := closest(name, KNOWN_FIELDS, ALIKE)) is not None:
                text = f"its event has `{name}`, which atfinity does not send"
                self._warn((*path, name), text, f"did you mean `{guess}`?")

    def _expected(self, data: Mapping[str, Any], path: Path) -> Expected:
        name, channel = data.get("rule"), data.get("channel")
        rule = self._known.rules.get(name) if isinstance(name, str) else None
        if isinstance(name, str) and rule is None:
            note = suggest(name, self._known.rules)
            self._tell((*path, "rule"), f"it expects unknown rule `{name}`", note)
        if isinstance(channel, str) and channel not in self._known.channels:
            note = suggest(channel, self._known.channels)
            self._tell((*path, "channel"), f"it expects unknown channel `{channel}`", note)
        elif rule is not None and isinstance(channel, str):
            steps = (target for step in rule.escalate for target in step.targets)
            told = {target.channel for target in (*rule.targets, *steps)}
            if told and channel not in told:
                text = f"rule `{name}` never tells `{channel}`"
                self._tell((*path, "channel"), text, f"it tells {', '.join(sorted(told))}")
        at = data.get("at")
        return Expected(
            rule=str(name),
            channel=str(channel),
            title=_text(data.get("title")),
            body=_text(data.get("body")),
            title_contains=_text(data.get("title_contains")),
            body_contains=_text(data.get("body_contains")),
            at=None if at is None else self._duration(at, (*path, "at")),
            events=data["events"] if isinstance(data.get("events"), int) else None,
        )

    def _start(self, given: Any, path: Path) -> float:
        zones = self._known.zones
        zone = ZoneInfo(next(iter(zones)) if len(zones) == 1 else "UTC")
        usual = datetime.fromisoformat(USUAL_START).replace(tzinfo=zone)
        if not isinstance(given, str):
            return usual.timestamp()
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            moment = usual.replace(year=1)
        if not 1980 <= moment.year <= 2100:
            form = "write one like `2026-03-05T16:00`, or with a zone: `2026-03-05T16:00+01:00`"
            self._tell(path, f"`start: {given}` is no date and time; {form}")
            return usual.timestamp()
        if moment.tzinfo is None and len(zones) > 1:
            text = f"`start: {given}` says not by whose clocks: the calendars have several zones"
            self._tell(path, text, f"write one like `{given}+01:00`")
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()

    def _duration(self, given: Any, path: Path) -> float:
        if not isinstance(given, str):
            return 0.0
        try:
            return parse_duration(given)
        except ValueError as error:
            self._tell(path, f"`{path[-1]}`: {error}")
            return 0.0

    def _tell(self, path: Path, text: str, *notes: str, at_key: bool = False) -> None:
        where = self._tree.key(path) if at_key else self._tree.value(path)
        self._tree.tell(where, f"{self._who}: {text}", *notes)

    def _warn(self, path: Path, text: str, note: str) -> None:
        where = self._tree.key(path) if path[-1] != "trigger" else self._tree.value(path)
        problem = Problem(where, f"{self._who}: {text}", (note,), "warning")
        self._tree.problems.append(problem)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
