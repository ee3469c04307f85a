"""Reading `calendars:`: time zones, days, hours and holidays."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from router.calendar import Calendar, check_timezone, parse_days, parse_hours

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.rulebook.tree import Path, Tree

LONGEST_RANGE = 3660
_RANGE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\s*\.\.\s*(\d{4}-\d{2}-\d{2}))?")


def read_calendars(tree: Tree, others: Mapping[str, str]) -> dict[str, Calendar]:
    """The calendars of a file; what is wrong is told to its tree.

    `others` are the texts of the files it names for holidays, by the name it uses.
    """
    given = tree.data.get("calendars")
    reader = _Reader(tree, others)
    found: dict[str, Calendar] = {}
    for name, data in given.items() if isinstance(given, dict) else ():
        if isinstance(data, dict):
            found[name] = reader.read(name, data)
    return found


def holiday_files(data: Any) -> Iterator[tuple[Path, str]]:
    """Where a file's calendars name files for their holidays, and which."""
    calendars = data.get("calendars") if isinstance(data, dict) else None
    for name, calendar in calendars.items() if isinstance(calendars, dict) else ():
        given = calendar.get("holidays") if isinstance(calendar, dict) else None
        path: Path = ("calendars", name, "holidays")
        if isinstance(given, dict) and isinstance(given.get("file"), str):
            yield (*path, "file"), given["file"]
        for number, item in enumerate(given if isinstance(given, list) else []):
            if isinstance(item, dict) and isinstance(item.get("file"), str):
                yield (*path, number, "file"), item["file"]


class _Reader:
    def __init__(self, tree: Tree, others: Mapping[str, str]) -> None:
        self._tree = tree
        self._others = others

    def read(self, name: str, data: dict[str, Any]) -> Calendar:
        path: Path = ("calendars", name)
        timezone = data.get("timezone")
        try:
            check_timezone(timezone if isinstance(timezone, str) else "UTC")
        except ValueError as error:
            self._tell((*path, "timezone"), f"calendar `{name}`: {error}")
            timezone = None
        before = len(self._tree.problems)
        week = self._week(name, data, path)
        if not any(week) and len(self._tree.problems) == before:
            text = f"calendar `{name}` never opens; what is held for it would wait for ever"
            self._tree.tell(self._tree.key(path), text)
        holidays = frozenset(self._holidays(name, data.get("holidays"), (*path, "holidays")))
        return Calendar(name, timezone if isinstance(timezone, str) else "UTC", week, holidays)

    def _week(
        self, name: str, data: dict[str, Any], path: Path
    ) -> tuple[tuple[tuple[int, int], ...], ...]:
        given = data.get("hours", "00:00-24:00")
        week: list[tuple[tuple[int, int], ...]] = [()] * 7
        if isinstance(given, dict):
            if "days" in data:
                text = f"calendar `{name}`: `hours` names the days already; take `days` away"
                self._tree.tell(self._tree.key((*path, "days")), text)
            for days, hours in given.items():
                at: Path = (*path, "hours", days)
                for day in self._days(name, [days], at, at_key=True):
                    week[day] = self._hours(name, hours, at)
            return tuple(week)
        texts = data.get("days", "mon-sun")
        hours = self._hours(name, given, (*path, "hours"))
        days = texts if isinstance(texts, list) else [texts]
        for day in self._days(name, days, (*path, "days")):
            week[day] = hours
        return tuple(week)

    def _days(self, name: str, given: list[Any], path: Path, *, at_key: bool = False) -> set[int]:
        found: set[int] = set()
        for text in given:
            if not isinstance(text, str):
                continue  # the shape's check tells it
            try:
                found |= parse_days(text)
            except ValueError as error:
                where = self._tree.key(path) if at_key else self._tree.value(path)
                self._tree.tell(where, f"calendar `{name}`: {error}")
        return found

    def _hours(self, name: str, given: Any, path: Path) -> tuple[tuple[int, int], ...]:
        found: list[tuple[int, int]] = []
        for number, text in enumerate(given if isinstance(given, list) else [given]):
            at = (*path, number) if isinstance(given, list) else path
            if not isinstance(text, str):
                continue  # the shape's check tells it
            try:
                found.append(parse_hours(text))
            except ValueError as error:
                self._tell(at, f"calendar `{name}`: {error}")
        found.sort()
        for one, two in pairwise(found):
            if two[0] < one[1]:
                self._tell(path, f"calendar `{name}`: two of its `hours` overlap")
        return tuple(found)

    def _holidays(self, name: str, given: Any, path: Path) -> Iterator[date]:
        if given is None:
            return
        for number, item in enumerate(given if isinstance(given, list) else [given]):
            at = (*path, number) if isinstance(given, list) else path
            if isinstance(item, dict):
                yield from self._file(name, item.get("file"), (*at, "file"))
            elif isinstance(item, str):
                try:
                    yield from _dates(item)
                except ValueError as error:
                    self._tell(at, f"calendar `{name}`: {error}")

    def _file(self, name: str, file: Any, path: Path) -> Iterator[date]:
        for number, line in enumerate(self._others.get(str(file), "").splitlines(), 1):
            words = line.partition("#")[0].strip()
            if not words:
                continue
            try:
                found = _RANGE.match(words)
                yield from _dates(found[0] if found else words)
            except ValueError as error:
                self._tell(path, f"calendar `{name}`: `{file}`, line {number}: {error}")
                return

    def _tell(self, path: Path, text: str) -> None:
        self._tree.tell(self._tree.value(path), text)


def _dates(text: str) -> Iterator[date]:
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        form = "write one like 2026-12-25, or a range like 2026-12-24..2027-01-02"
        raise ValueError(f"`{text}` is not a date; {form}")
    try:
        first = date.fromisoformat(found[1])
        last = date.fromisoformat(found[2] or found[1])
    except ValueError:
        raise ValueError(f"`{text}` is not a day that exists") from None
    if last < first:
        raise ValueError(f"`{text}` ends before it begins")
    if (last - first).days > LONGEST_RANGE:
        raise ValueError(f"`{text}` is longer than ten years")
    for day in range((last - first).days + 1):
        yield first + timedelta(days=day)
