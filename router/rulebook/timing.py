"""Reading what a rule says about time: waits, hours, throttles, digests, reminders."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from router.calendar import Calendar, always, parse_time
from router.duration import parse_duration
from router.problem import Problem, suggest
from router.rules import Digest, Escalation, Hours, Rate, Remind, Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.rulebook.tree import Path, Tree
    from router.rules import Target

LONGEST_WAIT = 366 * 86400.0
_DAYS = re.compile(r"(\d+(?:\.\d+)?)([dw])")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(\d+)?\s*(s|sec|m|min|h|d)")
_UNITS = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


class TimingReader:
    """Reads the times of one file's rules; what is wrong is told to its tree.

    `used` are the calendars that were named.
    """

    def __init__(self, tree: Tree, calendars: Mapping[str, Calendar]) -> None:
        self._tree = tree
        self._calendars = calendars
        self._who = ""
        self.used: set[str] = set()

    def read(
        self,
        data: Mapping[str, Any],
        path: Path,
        who: str,
        usual: str | None,
        targets: Callable[[Any], tuple[Target, ...]],
    ) -> dict[str, Any]:
        """The rule's values for its times; `usual` is the calendar of rules without one."""
        self._who = who
        calendar = self._calendar(data.get("calendar"), (*path, "calendar"))
        if "calendar" not in data and usual in self._calendars:
            calendar = self._calendar(usual, path)
        found: dict[str, Any] = {
            "calendar": calendar,
            "after": self._wait(data.get("after"), (*path, "after"), calendar),
            "hours": self._hours(data.get("hours"), (*path, "hours")),
            "throttle": self._throttle(data.get("throttle"), (*path, "throttle")),
            "digest": self.digest(data.get("digest"), (*path, "digest"), who, calendar),
            "dedupe": self._wait(data.get("dedupe"), (*path, "dedupe"), None) or None,
            "remind": self._remind(data.get("remind"), (*path, "remind"), calendar),
            "escalate": self._escalate(data.get("escalate"), path, calendar, targets),
        }
        self._together(data, path)
        return found

    def wait(self, text: Any, path: Path, who: str) -> float:
        """Seconds of a duration that has to be some time."""
        self._who = who
        return self._wait(text, path, None)

    def calendar(self, name: Any, path: Path, who: str) -> Calendar | None:
        """A calendar by its name."""
        self._who = who
        return self._calendar(name, path)

    def digest(self, data: Any, path: Path, who: str, usual: Calendar | None) -> Digest | None:
        """A digest: `every` so long, or `at` a time of day."""
        self._who = who
        if not isinstance(data, dict):
            return None
        calendar = self._calendar(data.get("calendar"), (*path, "calendar")) or usual or always()
        by = self._fields(data.get("by"))
        if ("every" in data) == ("at" in data):
            self._tell(path, "`digest` says either `every` (how long) or `at` (when)", at_key=True)
            return None
        if "every" in data:
            return Digest(self._wait(data["every"], (*path, "every"), None), None, calendar, by)
        if not isinstance(data["at"], str):
            return None  # the shape's check tells it
        try:
            return Digest(None, parse_time(data["at"]), calendar, by)
        except ValueError as error:
            self._tell((*path, "at"), f"`digest`: {error}")
            return None

    def _calendar(self, name: Any, path: Path) -> Calendar | None:
        if not isinstance(name, str):
            return None
        self.used.add(name)
        if name not in self._calendars:
            known = suggest(name, self._calendars, "there are none; add `calendars:`")
            self._tell(path, f"unknown calendar `{name}`", known)
        return self._calendars.get(name)

    def _wait(self, text: Any, path: Path, calendar: Calendar | None) -> float:
        if not isinstance(text, str):
            return 0.0
        try:
            seconds = parse_duration(text)
            if calendar is not None:
                seconds = _working(text, seconds, calendar)
        except ValueError as error:
            self._tell(path, f"`{path[-1]}`: {error}")
            return 0.0
        if seconds <= 0:
            self._tell(path, f"`{path[-1]}: {text}` is no time at all; leave it out")
        elif seconds > LONGEST_WAIT:
            self._tell(path, f"`{path[-1]}: {text}` is longer than a year")
        return seconds

    def _hours(self, data: Any, path: Path) -> Hours | None:
        if isinstance(data, dict):
            calendar = self._calendar(data.get("calendar"), (*path, "calendar"))
            drop = data.get("outside") == "drop"
        else:
            calendar, drop = self._calendar(data, path), False
        return None if calendar is None else Hours(calendar, drop)

    def _throttle(self, data: Any, path: Path) -> Throttle | None:
        if not isinstance(data, dict):
            return None
        seconds = self._wait(data.get("once_per"), (*path, "once_per"), None)
        return Throttle(seconds, self._fields(data.get("by"))) if seconds else None

    def _remind(self, data: Any, path: Path, calendar: Calendar | None) -> Remind | None:
        if not isinstance(data, dict):
            return None
        every = self._wait(data.get("every"), (*path, "every"), calendar)
        at_most = data.get("at_most")
        return Remind(every, at_most if isinstance(at_most, int) else None) if every else None

    def _escalate(
        self,
        data: Any,
        path: Path,
        calendar: Calendar | None,
        targets: Callable[[Any], tuple[Target, ...]],
    ) -> tuple[Escalation, ...]:
        found = []
        for number, item in enumerate(data if isinstance(data, list) else []):
            if isinstance(item, dict):
                at: Path = (*path, "escalate", number, "after")
                after = self._wait(item.get("after"), at, calendar)
                found.append(Escalation(after, targets(item.get("notify"))))
        return tuple(found)

    def _fields(self, given: Any) -> tuple[str, ...]:
        names = given if isinstance(given, list) else [given]
        return tuple(name for name in names if isinstance(name, str))

    def _together(self, data: Mapping[str, Any], path: Path) -> None:
        """What only makes sense with something else."""
        waits = [key for key in ("after", "remind", "escalate") if data.get(key)]
        if "unless" in data and not waits:
            note = "add `after`, `remind` or `escalate`"
            self._tell((*path, "unless"), "`unless` has nothing to cancel", note, at_key=True)
        for key in ("remind", "escalate"):
            if data.get(key) and "unless" not in data:
                note = "add `unless:` with what ends it"
                self._tell((*path, key), f"`{key}` would never be cancelled", note, at_key=True)
        uses = waits or isinstance(data.get("digest"), dict)
        if "calendar" in data and not uses:
            note = "for when it may speak write `hours:`"
            self._tell((*path, "calendar"), "`calendar` has nothing to count", note, at_key=True)
        if data.get("digest") and data.get("throttle"):
            note = "a digest says it all in one message already"
            text = "`digest` and `throttle` exclude each other"
            self._tell((*path, "throttle"), text, note, at_key=True)

    def _tell(self, path: Path, text: str, *notes: str, at_key: bool = False) -> None:
        where = self._tree.key(path) if at_key else self._tree.value(path)
        self._tree.tell(where, f"{self._who}: {text}", *notes)


def parse_rate(text: str) -> float:
    """Seconds between two messages of a rate like `1/s`, `30/min` or `2/5s`.

    Raises ValueError, in words for the person who wrote it, for anything else.
    """
    found = _RATE.fullmatch(text.strip())
    number = float(found[1]) if found else 0.0
    if not found or number <= 0 or found[2] == "0":
        raise ValueError(f"`{text}` is not a rate; write one like `1/s` or `30/min`")
    interval = _UNITS[found[3]] * int(found[2] or 1) / number
    if not 0.001 <= interval <= 86400:
        raise ValueError(f"`{text}` is no rate a channel has; it is from 1/d to 1000/s")
    return interval


def read_rate(
    tree: Tree, path: Path, name: str, data: Mapping[str, Any], service: str, address: str
) -> Rate | None:
    """How many messages a channel takes: as it says, or as its service is known to."""
    chat = service in ("slack", "teams") or address.startswith("slack://")
    usual = {"slack": Rate(1.0, 4), "email": Rate(2.0, 10)}.get(service)
    if address.startswith("slack://"):
        usual = Rate(1.0, 4)
    elif address.startswith(("mailto://", "mailtos://")):
        usual = Rate(2.0, 10)
    interval = burst = None
    if isinstance(data.get("rate"), str):
        try:
            interval = parse_rate(data["rate"])
        except ValueError as error:
            tree.tell(tree.value((*path, "rate")), f"channel `{name}`: {error}")
    if isinstance(data.get("burst"), int):
        burst = data["burst"]
    overflow = data.get("overflow")
    if interval is None and usual is None:
        for key in ("burst", "overflow"):
            if key in data and "rate" not in data:
                text = f"channel `{name}`: `{key}` says nothing without a `rate`"
                tree.problems.append(Problem(tree.key((*path, key)), text, (), "warning"))
        return None
    gather = overflow == "digest" or (chat and overflow != "keep")
    if interval is not None:
        return Rate(interval, burst or 1, gather)
    if usual is None:
        raise AssertionError(service)
    return Rate(usual.interval, burst or usual.burst, gather)


def _working(text: str, seconds: float, calendar: Calendar) -> float:
    """Seconds of a calendar's open time: a day is one of its days, a week all of a week's."""
    open_time = seconds
    for number, unit in _DAYS.findall(text):
        days = 1 if unit == "d" else 7
        working = 1 if unit == "d" else calendar.days_open()
        open_time += float(number) * (working * calendar.day_length() - days * 86400.0)
    return max(0.0, open_time)
