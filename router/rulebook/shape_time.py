"""The shapes of what rules say about time, and of what the router watches."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt

from router.rulebook.shape_base import Name, Shape, Text, When, key


class TargetShape(Shape):
    """One channel to tell, with a template of its own."""

    channel: Name = key("a channel or group", "the channel or group", ...)
    template: Text | None = key("a template", "the template for it")


class HolidayFileShape(Shape):
    """A file with one date or range a line."""

    file: Text = key(
        "a file beside this one", "a date or range on each line; # begins a remark", ...
    )


class CalendarShape(Shape):
    """When a place is open."""

    timezone: Text | None = key(
        "a time zone like Europe/Zurich", "whose clocks count; UTC unless told"
    )
    days: Text | list[Text] | None = key(
        "days like mon-fri", "the days it is open; all unless told", examples=["mon-fri"]
    )
    hours: Text | list[Text] | dict[str, Text | list[Text]] | None = key(
        'hours like "08:00-18:00", a list of them, or a mapping of days to hours',
        "when it is open on these days; the whole day unless told",
        examples=["08:00-18:00", ["08:00-12:00", "13:30-18:00"]],
    )
    holidays: Text | list[Text | HolidayFileShape] | HolidayFileShape | None = key(
        "a list of dates, ranges like 2026-12-24..2027-01-02, or { file: holidays.txt }",
        "days on which it stays closed",
        examples=[["2026-12-25", "2026-12-28..2027-01-02"]],
    )


class HoursShape(Shape):
    """When a rule may speak, and what becomes of what it says outside."""

    calendar: Text = key("a calendar", "the calendar", ...)
    outside: Literal["hold", "drop"] | None = key(
        "hold or drop", "outside: wait until it opens (hold), or say nothing and record it (drop)"
    )


class ThrottleShape(Shape):
    """Say it once, and count the rest."""

    once_per: Text = key("a duration like 1h", "how long nothing more is said", ...)
    by: Text | list[Text] | None = key(
        "a field, or a list of fields", "once for each of their values", examples=[["case_id"]]
    )


class DigestShape(Shape):
    """Collect, then say it in one message."""

    every: Text | None = key("a duration like 1h", "how long it collects from the first on")
    at: Text | None = key('a time of day like "09:00"', "when it is said each day")
    calendar: Text | None = key("a calendar", "on whose days, and by whose clocks")
    by: Text | list[Text] | None = key("a field, or a list of fields", "one message for each")


class RemindShape(Shape):
    """Say it again until it is cancelled."""

    every: Text = key("a duration like 1d", "how long between two times", ...)
    at_most: Annotated[StrictInt, Field(ge=1, le=1000)] | None = key(
        "a whole number from 1 to 1000", "how often; until it is cancelled unless told"
    )


class EscalationShape(Shape):
    """Tell others if it is still so."""

    after: Text = key("a duration like 4h", "how long after the event", ...)
    notify: Name | list[Name | TargetShape] = key(
        "a channel, a group, or a list of them", "who is told then", ...
    )


class WatchShape(Shape):
    """One thing the router tells about itself."""

    channel_failing: Name | None = key("a channel, or any", "a channel that keeps failing")
    silent_source: Name | None = key("a source, or any", "a source from which nothing comes")
    unmatched: When | None = key("field tests, or `always`", "events that no rule speaks about")
    template_error: Name | None = key("a rule, or any", "words that could not be made")
    for_: Text | None = key("a duration like 15m", "for how long it is so", alias="for")
    calendar: Text | None = key("a calendar", "in whose open time a silence is counted")
    digest: DigestShape | None = key("a mapping like { at }", "collect what is unmatched")
    notify: Name | list[Name | TargetShape] = key(
        "a channel, a group, or a list of them", "who is told", ...
    )
