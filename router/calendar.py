"""When a place is open: hours per weekday in a time zone, days off, and open time counted."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86400.0
FIVE_YEARS = 5 * 366 * DAY
_MIDNIGHT = 24 * 60
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS = {form: at for at, name in enumerate(_WEEKDAYS) for form in (name, name[:3])}
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class Calendar(msgspec.Struct, frozen=True):
    """When a place is open: a time zone, hours per weekday, and days off.

    `week` has seven entries, Monday first: intervals in minutes from midnight, sorted, none over
    another. An end past 1440 is on the next day (2880 at most), and the interval belongs to the
    day it begins on: nothing begins on one of the `holidays`. Moments are epoch seconds. A wall
    time that is missing is the moment the clocks jump; of one that comes twice, an interval
    begins at the first and ends at the second.
    """

    name: str
    timezone: str
    week: tuple[tuple[tuple[int, int], ...], ...]
    holidays: frozenset[date] = frozenset()

    def is_open(self, at: float) -> bool:
        """Whether it is open: from the opening moment on, and no longer at the closing one."""
        return next(self._open(at, at), None) is not None

    def next_open(self, at: float) -> float | None:
        """`at` if it is open then, otherwise when it opens; None if not within five years."""
        return self.add_open(at, 0)

    def add_open(self, at: float, seconds: float) -> float | None:
        """When `seconds` (not negative) of open time have passed; None if not in five years.

        Time used up exactly at closing is used up then, not at the next opening.
        """
        for begin, end in self._open(at, at + FIVE_YEARS):
            if seconds <= end - begin:
                return begin + seconds
            seconds -= end - begin
        return None

    def open_between(self, start: float, end: float) -> float:
        """The open seconds from `start` to `end`; 0 if that is not later."""
        return sum((closes - opens for opens, closes in self._open(start, end)), 0.0)

    def day_length(self) -> float:
        """Open seconds of an ordinary working day: the mean over the weekdays that open."""
        if not self.days_open():
            return 0.0
        # UTC has only ordinary weeks, and what two nights share is counted once there too.
        ordinary = Calendar(self.name, "UTC", self.week)
        return ordinary.open_between(0, 7 * DAY) / self.days_open()

    def days_open(self) -> int:
        """How many weekdays open at all."""
        return sum(bool(hours) for hours in self.week)

    def next_time(self, at: float, minutes: int) -> float | None:
        """When, after `at`, clocks next show `minutes` after midnight on a day that opens.

        The first time, where they do so twice. None if not within five years.
        """
        for day in self._days(self._date(at), self._date(at + FIVE_YEARS)):
            moment = _moment(self.timezone, day, minutes)
            if at < moment <= at + FIVE_YEARS:
                return moment
        return None

    def _open(self, since: float, until: float) -> Iterator[tuple[float, float]]:
        """Open time in order, in pieces that may touch but share nothing.

        Includes both `since` and `until`: the last piece may be that one moment.
        """
        # A night, or a midnight that comes twice, reaches into days after its own; where clocks
        # go back over midnight, the next day has begun before.
        first, last = self._date(since) - timedelta(2), self._date(until) + timedelta(1)
        covered = since
        for day in self._days(first, last):
            for begin, end in _intervals(self.timezone, day, self.week[day.weekday()]):
                start = max(begin, covered)
                if start > until:
                    return
                if start < end:
                    yield start, min(end, until)
                    covered = end

    def _days(self, first: date, last: date) -> Iterator[date]:
        """The days from `first` to `last` on which it opens."""
        for number in range(first.toordinal(), last.toordinal() + 1):
            day = date.fromordinal(number)
            if self.week[day.weekday()] and day not in self.holidays:
                yield day

    def _date(self, at: float) -> date:
        return datetime.fromtimestamp(at, ZoneInfo(self.timezone)).date()


def always(timezone: str = "UTC") -> Calendar:
    """The calendar that is open at any time."""
    return Calendar("always", timezone, (((0, _MIDNIGHT),),) * 7)


def parse_days(text: str) -> frozenset[int]:
    """The weekdays (Monday is 0) that `text` means: `mon-fri`, `mon, wed-fri`, `Sat-Monday`.

    Raises ValueError, in words for the person who wrote it, for anything else.
    """
    found: set[int] = set()
    for part in text.split(","):
        ends = [_NUMBERS.get(name.strip().casefold()) for name in part.split("-")]
        first, last = ends[0], ends[-1]
        if first is None or last is None or len(ends) > 2:
            form = "write days like `mon-fri` or `mon, wed-fri`"
            what = f"`{part.strip()}` in `{text}`" if "," in text else f"`{text}`"
            raise ValueError(f"{what} is no weekday and no range of them; {form}")
        found.update((first + step) % 7 for step in range((last - first) % 7 + 1))
    return frozenset(found)


def parse_hours(text: str) -> tuple[int, int]:
    """Begin and end, in minutes from midnight, of `08:00-18:00`; `22:00-06:00` ends past 1440.

    Raises ValueError, in words for the person who wrote it, for anything else.
    """
    begin, _, end = (part.strip() for part in text.partition("-"))
    if not _TIME.fullmatch(begin) or not (_TIME.fullmatch(end) or end == "24:00"):
        form = "write them like `08:00-18:00`, all day as `00:00-24:00`"
        raise ValueError(f"`{text}` are not hours; {form}")
    opens, closes = parse_time(begin), _MIDNIGHT if end == "24:00" else parse_time(end)
    if opens == closes:
        form = "write `00:00-24:00` for the whole day"
        raise ValueError(f"`{text}` ends when it begins; {form}")
    return opens, closes if closes > opens else closes + _MIDNIGHT


def parse_time(text: str) -> int:
    """Minutes from midnight of a time of day, `00:00` to `23:59`.

    Raises ValueError, in words for the person who wrote it, for anything else.
    """
    found = _TIME.fullmatch(text)
    if not found:
        raise ValueError(f"`{text}` is not a time of day; write one like `09:00` or `17:30`")
    return int(found[1]) * 60 + int(found[2])


def check_timezone(name: str) -> None:
    """Raise ValueError, with a guess at what was meant, if there is no time zone of that name."""
    known = _timezones()
    if name in known.values():
        return
    close = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.7)
    form = f"did you mean `{known[close[0]]}`?" if close else "write one like `Europe/Zurich`"
    raise ValueError(f"`{name}` is not a time zone; {form}")


@cache
def _timezones() -> dict[str, str]:
    """What people may write for a time zone, the city alone too -> its name."""
    names = sorted(available_timezones() - {"localtime"})  # Debian's: another one on each machine
    cities = {name.rpartition("/")[2].casefold(): name for name in names}
    return cities | {name.casefold(): name for name in names}


@lru_cache(maxsize=16384)  # some calendars, five years each
def _intervals(
    timezone: str, day: date, hours: tuple[tuple[int, int], ...]
) -> tuple[tuple[float, float], ...]:
    """The hours of one day as moments."""
    return tuple(
        (_moment(timezone, day, begin), _moment(timezone, day, end, last=True))
        for begin, end in hours
    )


def _moment(timezone: str, day: date, minutes: int, *, last: bool = False) -> float:
    """When clocks show the time `minutes` after midnight of `day`: past 1440, on a later date.

    The first time or the `last`; the moment they jump over it, if they never do.
    """
    zone = ZoneInfo(timezone)
    wall = datetime.combine(day, time(), zone) + timedelta(minutes=minutes)
    early, late = wall.timestamp(), wall.replace(fold=1).timestamp()
    if early <= late:
        return late if last else early
    # Missing: then the jump lies between the two. Datetimes of one zone compare by the wall clock.
    around = range(int(late), int(early))
    jumped = bisect_left(around, True, key=lambda s: datetime.fromtimestamp(s, zone) >= wall)
    return late + jumped
