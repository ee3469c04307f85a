"""The shapes of what rules say about time, and of what the router watches."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictInt

from router.rulebook.shape_base import Clock, Duration, Name, Shape, Text, When, key


class TargetShape(Shape):
    """One channel to tell, with a template of its own."""

    channel: Name = key("a channel or group", "the channel or group", ..., examples=["kyc-team"])
    template: Text = key(
        "a template",
        "the template family for it",
        examples=["short"],
        left_out="the rule's own words",
    )


Notify = Annotated[Name | list[Name | TargetShape], Field()]


class HolidayFileShape(Shape):
    """A file with one date or range a line."""

    file: Text = key(
        "a file beside this one",
        "a date or range on each line; # begins a remark",
        ...,
        examples=["holidays.txt"],
    )


class CalendarShape(Shape):
    """When a place is open."""

    timezone: Text = key(
        "a time zone like Europe/Zurich",
        "whose clocks count",
        examples=["Europe/Zurich"],
        left_out="UTC",
    )
    days: Text | list[Text] = key(
        "days like mon-fri",
        "the days it is open",
        examples=["mon-fri", ["mon", "wed-fri"]],
        left_out="every day",
    )
    hours: Text | list[Text] | dict[str, Text | list[Text]] = key(
        'hours like "08:00-18:00", a list of them, or a mapping of days to hours',
        "when it is open on these days; an end that is not later is on the next day",
        examples=[
            "08:00-18:00",
            ["08:00-12:00", "13:30-18:00"],
            {"mon-thu": "08:00-18:00", "fri": "08:00-12:00"},
        ],
        left_out="the whole day",
    )
    holidays: Text | list[Text | HolidayFileShape] | HolidayFileShape = key(
        "a list of dates, ranges like 2026-12-24..2027-01-02, or { file: holidays.txt }",
        "days on which it stays closed",
        examples=[["2026-12-25", "2026-12-28..2027-01-02"]],
        left_out="none",
    )


class HoursShape(Shape):
    """When a rule may speak, and what becomes of what it says outside."""

    calendar: Text = key("a calendar", "the calendar", ..., examples=["office"])
    outside: Literal["hold", "drop"] = key(
        "hold or drop",
        "outside: wait until it opens (hold), or say nothing and record it (drop)",
        examples=["drop"],
        left_out="hold",
    )


class ThrottleShape(Shape):
    """Say it once, and count the rest."""

    once_per: Duration = key(
        "a duration like 1h", "how long nothing more is said", ..., examples=["1h"]
    )
    by: Text | list[Text] = key(
        "a field, or a list of fields",
        "once for each of their values",
        examples=["case_id", ["case_id", "action"]],
        left_out="once for the whole rule",
    )


class DigestShape(Shape):
    """Collect, then say it in one message."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["every"]}, {"required": ["at"]}]}
    )

    every: Duration = key(
        "a duration like 1h", "how long it collects from its first event on", examples=["1h"]
    )
    at: Clock = key('a time of day like "09:00"', "when it is said each day", examples=["09:00"])
    calendar: Text = key(
        "a calendar",
        "on whose days, and by whose clocks",
        examples=["office"],
        left_out="the rule's calendar, or every day by UTC",
    )
    by: Text | list[Text] = key(
        "a field, or a list of fields",
        "one message for each of their values",
        examples=["process_key"],
        left_out="one message for the whole rule",
    )


class RemindShape(Shape):
    """Say it again until it is cancelled."""

    every: Duration = key("a duration like 1d", "how long between two times", ..., examples=["1d"])
    at_most: Annotated[StrictInt, Field(ge=1, le=1000)] = key(
        "a whole number from 1 to 1000",
        "how often at most",
        examples=[3],
        left_out="until it is cancelled",
    )


class EscalationShape(Shape):
    """Tell others if it is still so."""

    after: Duration = key("a duration like 4h", "how long after the event", ..., examples=["4h"])
    notify: Notify = key(
        "a channel, a group, or a list of them",
        "who is told then",
        ...,
        examples=["head-of-kyc"],
    )


_KINDS = ("channel_failing", "silent_source", "unmatched", "template_error")
_FIT: Any = {
    "channel_failing": {"required": ["for"], "properties": {"calendar": False, "digest": False}},
    "silent_source": {"required": ["for"], "properties": {"digest": False}},
    "unmatched": {"properties": {"for": False, "calendar": False}},
    "template_error": {"properties": {"for": False, "calendar": False, "digest": False}},
}


class WatchShape(Shape):
    """One thing the router tells about itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [kind]} for kind in _KINDS],
            "allOf": [{"if": {"required": [k]}, "then": _FIT[k]} for k in _KINDS],
        }
    )

    channel_failing: Name = key(
        "a channel, or any", "a channel that keeps failing", examples=["any", "compliance"]
    )
    silent_source: Name = key(
        "a source, or any", "a source from which nothing comes", examples=["atfinity"]
    )
    unmatched: When = key(
        "field tests, or `always`",
        "events that no rule speaks about",
        examples=[{"process_key": "kyc_process"}, "always"],
    )
    template_error: Name = key(
        "a rule, or any", "words of a rule that could not be made", examples=["any"]
    )
    for_: Duration = key(
        "a duration like 15m",
        "for how long it is so before it is told",
        alias="for",
        examples=["15m"],
    )
    calendar: Text = key(
        "a calendar",
        "in whose open time a silence is counted",
        examples=["office"],
        left_out="silence counts at any time",
    )
    digest: DigestShape = key(
        "a mapping like { at }",
        "collect what is unmatched",
        examples=[{"at": "09:00"}],
        left_out="each at once",
    )
    notify: Notify = key(
        "a channel, a group, or a list of them",
        "who is told; never the channel it is about",
        ...,
        examples=[["operations", "kyc-team"]],
    )
