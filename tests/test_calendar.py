"""Calendars: when they are open, open time counted, clocks that jump, and what people write."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from router.calendar import (
    Calendar,
    always,
    check_timezone,
    parse_days,
    parse_hours,
    parse_time,
)

HOUR = 3600.0
DAY = 24 * HOUR
ZURICH = "Europe/Zurich"
Hours = tuple[tuple[int, int], ...]
SUNDAY, SATURDAY, FRIDAY = 6, 5, 4


def week(hours: Hours, *days: int) -> tuple[Hours, ...]:
    return tuple(hours if day in days else () for day in range(7))


def only(day: int, *hours: tuple[int, int], zone: str = ZURICH) -> Calendar:
    return Calendar("only", zone, week(hours, day))


def utc(text: str) -> float:
    return datetime.fromisoformat(text + "Z").timestamp()


OFFICE = Calendar(
    "office", ZURICH, week(((480, 720), (780, 1080)), 0, 1, 2, 3, 4), frozenset({date(2026, 8, 3)})
)
NIGHT = Calendar("night", ZURICH, week(((1320, 1800),), 4, 6), frozenset({date(2026, 8, 9)}))
NEVER = Calendar("never", ZURICH, week((), 0))


# In Zurich, in August, 08:00 is 06:00Z. 2026-08-03 is a Monday.
@pytest.mark.parametrize(
    ("calendar", "at", "is_open", "opens"),
    [
        pytest.param(OFFICE, "2026-08-04T05:59:59", False, "2026-08-04T06:00", id="just before"),
        pytest.param(OFFICE, "2026-08-04T06:00", True, "2026-08-04T06:00", id="opening is open"),
        pytest.param(OFFICE, "2026-08-04T09:59:59", True, "2026-08-04T09:59:59", id="last second"),
        pytest.param(OFFICE, "2026-08-04T10:00", False, "2026-08-04T11:00", id="closing is closed"),
        pytest.param(OFFICE, "2026-07-31T16:00", False, "2026-08-04T06:00", id="over a long end"),
        pytest.param(OFFICE, "2026-08-03T08:00", False, "2026-08-04T06:00", id="on a holiday"),
        pytest.param(NIGHT, "2026-08-07T22:30", True, "2026-08-07T22:30", id="after midnight"),
        pytest.param(NIGHT, "2026-08-08T04:00", False, "2026-08-14T20:00", id="night of a holiday"),
        pytest.param(NIGHT, "2026-08-09T23:00", False, "2026-08-14T20:00", id="its early morning"),
        pytest.param(NIGHT, "2026-08-16T22:00", True, "2026-08-16T22:00", id="sunday night"),
        pytest.param(NIGHT, "2026-08-17T03:59", True, "2026-08-17T03:59", id="into the next week"),
    ],
)
def test_a_calendar_opens_when_its_week_says_so(
    calendar: Calendar, at: str, is_open: bool, opens: str
) -> None:
    assert calendar.is_open(utc(at)) is is_open
    assert calendar.next_open(utc(at)) == utc(opens)


def test_a_night_that_begins_before_a_holiday_goes_on_into_it() -> None:
    night = Calendar("night", ZURICH, NIGHT.week, frozenset({date(2026, 8, 8)}))
    assert night.is_open(utc("2026-08-08T03:59"))
    assert not night.is_open(utc("2026-08-08T04:00"))


@pytest.mark.parametrize(
    ("at", "hours", "then"),
    [
        pytest.param("2026-08-04T06:00", 1, "2026-08-04T07:00", id="within one piece"),
        pytest.param("2026-08-04T09:00", 2, "2026-08-04T12:00", id="lunch does not count"),
        pytest.param("2026-08-04T06:00", 4, "2026-08-04T10:00", id="used up exactly at lunch"),
        pytest.param("2026-08-04T06:00", 9, "2026-08-04T16:00", id="used up exactly at closing"),
        pytest.param("2026-07-31T15:00", 2, "2026-08-04T07:00", id="over a long weekend"),
        pytest.param("2026-08-04T20:00", 0, "2026-08-05T06:00", id="nothing is the next opening"),
        pytest.param("2026-08-04T10:00", 0, "2026-08-04T11:00", id="nothing, asked at lunch"),
        pytest.param("2026-08-04T06:00", 45, "2026-08-10T16:00", id="a week"),
    ],
)
def test_open_time_is_added(at: str, hours: float, then: str) -> None:
    assert OFFICE.add_open(utc(at), hours * HOUR) == utc(then)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        pytest.param("2026-08-04T00:00", "2026-08-05T00:00", 9, id="a day"),
        pytest.param("2026-08-04T09:30", "2026-08-04T11:30", 1, id="around lunch"),
        pytest.param("2026-08-03T00:00", "2026-08-04T00:00", 0, id="a holiday"),
        pytest.param("2026-08-04T07:00", "2026-08-04T07:00", 0, id="no time at all"),
        pytest.param("2026-08-05T00:00", "2026-08-04T00:00", 0, id="backwards"),
        pytest.param("2026-08-05T08:00", "2026-08-05T07:00", 0, id="backwards while open"),
    ],
)
def test_open_time_is_counted(start: str, end: str, hours: float) -> None:
    assert OFFICE.open_between(utc(start), utc(end)) == hours * HOUR


def test_what_never_opens_says_so() -> None:
    assert not NEVER.is_open(utc("2026-08-04T06:00"))
    assert NEVER.next_open(0) is None
    assert NEVER.add_open(0, 1) is None
    assert NEVER.next_time(0, 540) is None
    assert NEVER.open_between(0, 365 * DAY) == 0


def test_open_time_is_sought_for_five_years_and_no_longer() -> None:
    five_years = 5 * 366 * DAY
    assert always().add_open(0, five_years) == five_years
    assert always().add_open(0, five_years + 1) is None
    assert OFFICE.add_open(utc("2026-08-04T06:00"), 10 * 365 * DAY) is None
    mondays = frozenset(date(1970, 1, 5) + timedelta(7 * n) for n in range(300))
    closed_long = Calendar("closed long", "UTC", week(((540, 600),), 0), mondays)
    assert closed_long.next_open(0) is None
    assert closed_long.next_time(0, 540) is None
    opens = (4 + 7 * 300) * DAY + 9 * HOUR
    assert closed_long.next_open(opens - five_years) == opens
    assert closed_long.next_open(opens - five_years - 1) is None
    assert closed_long.next_time(opens - five_years, 540) == opens
    assert closed_long.next_time(opens - five_years - 1, 540) is None


@pytest.mark.parametrize(
    ("calendar", "hours", "days"),
    [
        pytest.param(OFFICE, 9, 5, id="every day the same"),
        pytest.param(NIGHT, 8, 2, id="nights, one into the next week"),
        pytest.param(NEVER, 0, 0, id="none"),
        pytest.param(
            Calendar("office", "UTC", OFFICE.week, frozenset({date(1970, 1, 6)})), 9, 5,
            id="holidays are not ordinary",
        ),
        pytest.param(always(ZURICH), 24, 7, id="always"),
        pytest.param(
            Calendar("mixed", "UTC", (((480, 1080),), *week(((480, 720),), 1)[1:])), 7, 2,
            id="a long day and a short one",
        ),
        pytest.param(
            Calendar("shared", "UTC", (((1320, 1800),), ((300, 720),), (), (), (), (), ())), 7, 2,
            id="a night that shares an hour with the morning",
        ),
    ],
)  # fmt: skip
def test_a_working_day_is_the_mean_of_those_that_open(
    calendar: Calendar, hours: float, days: int
) -> None:
    assert calendar.day_length() == hours * HOUR
    assert calendar.days_open() == days


@pytest.mark.parametrize(
    ("calendar", "at", "minutes", "then"),
    [
        pytest.param(OFFICE, "2026-08-04T06:00", 540, "2026-08-04T07:00", id="later today"),
        pytest.param(OFFICE, "2026-08-04T07:00", 540, "2026-08-05T07:00", id="strictly after"),
        pytest.param(OFFICE, "2026-07-31T08:00", 540, "2026-08-04T07:00", id="no holiday"),
        pytest.param(OFFICE, "2026-08-04T07:01", 1200, "2026-08-04T18:00", id="while it is closed"),
        pytest.param(always(ZURICH), "2026-03-28T12:00", 150, "2026-03-29T01:00", id="missing"),
        pytest.param(always(ZURICH), "2026-03-29T01:00", 150, "2026-03-30T00:30", id="the next"),
        pytest.param(always(ZURICH), "2026-10-24T12:00", 150, "2026-10-25T00:30", id="the first"),
        pytest.param(always(ZURICH), "2026-10-25T00:30", 150, "2026-10-26T01:30", id="once only"),
    ],
)
def test_a_time_of_day_comes_next(calendar: Calendar, at: str, minutes: int, then: str) -> None:
    assert calendar.next_time(utc(at), minutes) == utc(then)


APIA, HAVANA, ST_JOHNS = "Pacific/Apia", "America/Havana", "America/St_Johns"


# Each is one open stretch: its two ends tell all.
@pytest.mark.parametrize(
    ("calendar", "opens", "closes"),
    [
        pytest.param(
            only(SUNDAY, (0, 1440)), "2026-03-28T23:00", "2026-03-29T22:00",
            id="the day of spring has 23 hours",
        ),
        pytest.param(
            only(SUNDAY, (0, 1440)), "2026-10-24T22:00", "2026-10-25T23:00",
            id="the day of autumn has 25 hours",
        ),
        pytest.param(
            only(SUNDAY, (150, 300)), "2026-03-29T01:00", "2026-03-29T03:00",
            id="a missing begin is the jump",
        ),
        pytest.param(
            only(SUNDAY, (60, 150)), "2026-03-29T00:00", "2026-03-29T01:00",
            id="a missing end is the jump",
        ),
        pytest.param(
            only(SUNDAY, (60, 130), (170, 240)), "2026-03-29T00:00", "2026-03-29T02:00",
            id="a missing break is none",
        ),
        pytest.param(
            only(SUNDAY, (150, 300)), "2026-10-25T00:30", "2026-10-25T04:00",
            id="a begin that comes twice is the first",
        ),
        pytest.param(
            only(SUNDAY, (60, 150)), "2026-10-24T23:00", "2026-10-25T01:30",
            id="an end that comes twice is the second",
        ),
        pytest.param(
            only(SUNDAY, (60, 150), (150, 240)), "2026-10-24T23:00", "2026-10-25T03:00",
            id="what overlaps by the clock counts once",
        ),
        pytest.param(
            only(SUNDAY, (60, 130), (170, 240)), "2026-10-24T23:00", "2026-10-25T03:00",
            id="a break both whose ends come twice vanishes",
        ),
        pytest.param(
            only(SATURDAY, (1320, 1800)), "2026-03-28T21:00", "2026-03-29T04:00",
            id="the night of spring ends by the new clock",
        ),
        pytest.param(
            only(SATURDAY, (1320, 1800)), "2026-10-24T20:00", "2026-10-25T05:00",
            id="the night of autumn ends by the new clock",
        ),
        pytest.param(
            only(SATURDAY, (1320, 1590)), "2026-03-28T21:00", "2026-03-29T01:00",
            id="a night that ends at a missing time ends with the jump",
        ),
        pytest.param(
            only(SUNDAY, (0, 1440), zone="Australia/Lord_Howe"),
            "2026-04-04T13:00", "2026-04-05T13:30",
            id="half an hour comes twice",
        ),
        pytest.param(
            only(6, (0, 1440), zone=HAVANA), "2024-11-03T04:00", "2024-11-04T05:00",
            id="a midnight that comes twice begins the day at the first",
        ),
        pytest.param(
            only(FRIDAY, (480, 2880), zone=HAVANA), "2024-11-01T12:00", "2024-11-03T05:00",
            id="a midnight that comes twice ends the day before at the second",
        ),
        pytest.param(
            only(SUNDAY, (0, 1440), zone=ST_JOHNS), "2010-11-07T02:30", "2010-11-08T03:30",
            id="clocks that go back over midnight do not close what had begun",
        ),
        pytest.param(
            only(3, (1320, 1800), zone=APIA), "2011-12-30T08:00", "2011-12-30T10:00",
            id="a night into a day that was left out ends with the jump",
        ),
    ],
)  # fmt: skip
def test_hours_go_by_the_wall_clock(calendar: Calendar, opens: str, closes: str) -> None:
    begin, end = utc(opens), utc(closes)
    assert calendar.next_open(begin - HOUR) == begin
    assert not calendar.is_open(begin - 1)
    assert not calendar.is_open(end)
    assert all(calendar.is_open(begin + 60 * n) for n in range(int(end - begin) // 60))
    assert calendar.open_between(begin - HOUR, end + HOUR) == end - begin
    assert calendar.add_open(begin, end - begin) == end


def test_hours_that_the_clocks_jump_over_do_not_come() -> None:
    calendar = only(SUNDAY, (130, 170))
    at = utc("2026-03-28T12:00")
    assert calendar.next_open(at) == utc("2026-04-05T00:10")
    assert calendar.open_between(at, at + 2 * DAY) == 0


def test_two_nights_that_overlap_count_once() -> None:
    calendar = Calendar("long", "UTC", (((480, 2880),), ((600, 660),), ((0, 60),), (), (), (), ()))
    assert calendar.open_between(utc("2026-08-03T00:00"), utc("2026-08-10T00:00")) == 41 * HOUR


@pytest.mark.parametrize("year", [2024, 2026])
def test_always_is_every_second_of_a_year(year: int) -> None:
    start, end = utc(f"{year}-01-01T00:00"), utc(f"{year + 1}-01-01T00:00")
    assert always(ZURICH).open_between(start, end) == end - start
    assert always().name == "always"
    assert always().timezone == "UTC"
    assert all(always(ZURICH).is_open(start + 7 * HOUR * n) for n in range(1200))


# Laws, for any calendar.

QUIET = ["UTC", "Asia/Tokyo", "Asia/Kathmandu", "America/Phoenix", "Pacific/Kiritimati"]
JUMPY = [ZURICH, HAVANA, "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"]
FIRST, LAST = int(utc("2026-01-01T00:00")), int(utc("2027-01-01T00:00"))
JUMP_DAYS = [date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 1)]
JUMPS = [int(utc(f"{day}T00:00")) for day in JUMP_DAYS]

moments = st.one_of(
    st.integers(FIRST, LAST),
    st.builds(lambda jump, off: jump + off, st.sampled_from(JUMPS), st.integers(-172800, 172800)),
)


@st.composite
def days(draw: st.DrawFn) -> Hours:
    cuts = sorted(draw(st.sets(st.integers(0, 144), max_size=6)))
    hours = [(a * 10, b * 10) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    longer = draw(st.one_of(st.just(0), st.integers(1, 144))) * 10
    if hours:
        begin, end = hours[-1]
        hours[-1] = (begin, max(end, begin + longer))
    return tuple(hours)


def calendars(zones: list[str]) -> st.SearchStrategy[Calendar]:
    near = st.builds(
        lambda day, off: day + timedelta(off), st.sampled_from(JUMP_DAYS), st.integers(-3, 3)
    )
    holidays = st.one_of(near, st.dates(date(2026, 1, 1), date(2026, 12, 31)))
    return st.builds(
        Calendar,
        name=st.just("any"),
        timezone=st.sampled_from(zones),
        week=st.tuples(*[days()] * 7).filter(any),
        holidays=st.frozensets(holidays, max_size=5),
    )


def looks_open(calendar: Calendar, at: float) -> bool:
    """What a person with a clock and the week on paper would say."""
    wall = datetime.fromtimestamp(at, ZoneInfo(calendar.timezone))
    for ago in range(3):
        day = wall.date() - timedelta(ago)
        minute = wall.hour * 60 + wall.minute + 1440 * ago
        hours = () if day in calendar.holidays else calendar.week[day.weekday()]
        if any(begin <= minute < end for begin, end in hours):
            return True
    return False


@settings(deadline=None)
@given(calendars([*QUIET, *JUMPY]), moments)
def test_nothing_is_open_before_the_next_opening(calendar: Calendar, at: int) -> None:
    opens = calendar.next_open(at)
    assert opens is not None
    assert at <= opens
    assert calendar.is_open(opens)
    step = max(60, int(opens - at) // 300)
    assert not any(calendar.is_open(moment) for moment in range(at, int(opens), step))


@settings(deadline=None)
@given(calendars([*QUIET, *JUMPY]), moments, st.integers(0, 40 * 3600 * 4))
def test_as_much_is_open_as_was_added(calendar: Calendar, at: int, quarters: int) -> None:
    then = calendar.add_open(at, quarters / 4)
    assert then is not None
    assert calendar.open_between(at, then) == quarters / 4


@settings(deadline=None)
@given(calendars([*QUIET, *JUMPY]), moments, st.integers(0, 200_000), st.integers(1, 200_000))
def test_open_time_adds_up(calendar: Calendar, at: int, first: int, second: int) -> None:
    then, both = calendar.add_open(at, first), calendar.add_open(at, first + second)
    assert then is not None
    assert both is not None
    # What is added second is more than nothing: nothing, at closing, is the next opening.
    assert calendar.add_open(then, second) == pytest.approx(both, abs=1e-6, rel=0)
    assert both >= then + second


@settings(deadline=None)
@given(calendars(QUIET), moments)
def test_a_quiet_zone_is_open_by_the_clock_on_the_wall(calendar: Calendar, at: int) -> None:
    assert calendar.is_open(at) is looks_open(calendar, at)


@settings(deadline=None)
@given(calendars([ZURICH, "America/New_York"]), moments)
def test_so_is_a_zone_far_from_its_jumps(calendar: Calendar, at: int) -> None:
    zone = ZoneInfo(calendar.timezone)
    offsets = {datetime.fromtimestamp(at + n * DAY, zone).utcoffset() for n in (-3, 0, 3)}
    assume(len(offsets) == 1)
    assert calendar.is_open(at) is looks_open(calendar, at)


@settings(deadline=None, max_examples=50)
@given(calendars(QUIET), moments, st.integers(0, 3000))
def test_open_minutes_are_counted_one_by_one(calendar: Calendar, at: int, minutes: int) -> None:
    start = at - at % 60
    slowly = sum(60 for n in range(minutes) if looks_open(calendar, start + 60 * n))
    assert calendar.open_between(start, start + 60 * minutes) == slowly


@settings(deadline=None)
@given(calendars([*QUIET, *JUMPY]), moments, st.integers(0, 1439))
def test_the_next_time_is_shown_by_the_clock(calendar: Calendar, at: int, minutes: int) -> None:
    then = calendar.next_time(at, minutes)
    assert then is not None
    assert then > at
    wall = datetime.fromtimestamp(then, ZoneInfo(calendar.timezone))
    before = datetime.fromtimestamp(then - 1, ZoneInfo(calendar.timezone))
    shown, was = wall.hour * 60 + wall.minute, before.hour * 60 + before.minute
    jumped = wall.utcoffset() != before.utcoffset()
    missing = jumped and minutes < shown and (was < minutes or was > shown)
    assert shown == minutes or missing
    assert calendar.week[wall.weekday()]
    assert wall.date() not in calendar.holidays


# What people write.


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("mon, wed-fri", {0, 2, 3, 4}),
        ("sat", {5}),
        ("SUNDAY", {6}),
        ("Tuesday - thu", {1, 2, 3}),
        ("sat-mon", {5, 6, 0}),
        ("mon-sun", {0, 1, 2, 3, 4, 5, 6}),
        ("tue-mon", {0, 1, 2, 3, 4, 5, 6}),
        ("fri-fri", {4}),
        ("mon,mon-tue", {0, 1}),
    ],
)
def test_weekdays_are_read_as_people_write_them(text: str, found: set[int]) -> None:
    assert parse_days(text) == found


@pytest.mark.parametrize(
    ("text", "blamed"),
    [
        ("", "``"),
        ("workdays", "`workdays`"),
        ("mo-fr", "`mo-fr`"),
        ("mon-wed-fri", "`mon-wed-fri`"),
        ("mon,", "`` in `mon,`"),
        ("mon, funday", "`funday` in `mon, funday`"),
        ("mon-", "`mon-`"),
        ("-fri", "`-fri`"),
        ("mon fri", "`mon fri`"),
    ],
)
def test_what_is_no_weekday_is_refused_in_words(text: str, blamed: str) -> None:
    with pytest.raises(ValueError, match="write days like `mon-fri`") as caught:
        parse_days(text)
    assert str(caught.value).startswith(f"{blamed} is no weekday")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("08:00-18:00", (480, 1080)),
        ("00:00-24:00", (0, 1440)),
        ("08:15 - 12:00", (495, 720)),
        ("22:00-06:00", (1320, 1800)),
        ("22:00-00:00", (1320, 1440)),
        ("22:00-24:00", (1320, 1440)),
        ("23:59-23:58", (1439, 2878)),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, found: tuple[int, int]) -> None:
    assert parse_hours(text) == found


@pytest.mark.parametrize(
    "text",
    ["", "8-18", "8:00-18:00", "08:00", "08:00-", "-18:00", "24:00-06:00", "08:00-24:01",
     "08:00-25:00", "08:60-18:00", "08:00-12:00-18:00", "08.00-18.00", "08:00 to 18:00",
     "08:001-18:00", "٠٨:00-18:00"],
)  # fmt: skip
def test_what_are_no_hours_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="are not hours; write them like `08:00-18:00`") as caught:
        parse_hours(text)
    assert f"`{text}`" in str(caught.value)


@pytest.mark.parametrize("text", ["08:00-08:00", "00:00-00:00"])
def test_hours_that_end_when_they_begin_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^`{text}` ends when it begins; write `00:00-24:00`"):
        parse_hours(text)


@pytest.mark.parametrize(
    ("text", "minutes"), [("09:00", 540), ("00:00", 0), ("23:59", 1439), ("17:30", 1050)]
)
def test_a_time_of_day_is_minutes_after_midnight(text: str, minutes: int) -> None:
    assert parse_time(text) == minutes


@pytest.mark.parametrize("text", ["", "9", "9:00", "24:00", "12:60", "09:00:00", "noon", "09:00\n"])
def test_what_is_no_time_of_day_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time of day; write one like `09:00`") as caught:
        parse_time(text)
    assert f"`{text}`" in str(caught.value)


def test_every_time_zone_there_is_passes() -> None:
    for name in available_timezones() - {"localtime"}:
        check_timezone(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Europe/Zürich", "did you mean `Europe/Zurich`?"),
        ("europe/zurich", "did you mean `Europe/Zurich`?"),
        ("Zurich", "did you mean `Europe/Zurich`?"),
        ("new york", "did you mean `America/New_York`?"),
        ("utc+1", "not a time zone"),
        ("localtime", "not a time zone"),
        ("xyzzy", "write one like `Europe/Zurich`"),
        ("", "write one like `Europe/Zurich`"),
        ("Europe", "not a time zone"),
        ("../Europe/Zurich", "did you mean `Europe/Zurich`?"),
        ("../../../etc/passwd", "write one like `Europe/Zurich`"),
        ("/usr/share/zoneinfo/UTC", "write one like `Europe/Zurich`"),
        ("UTC\0", "not a time zone"),
    ],
)
def test_what_is_no_time_zone_is_refused_with_a_guess(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time zone; ") as caught:
        check_timezone(name)
    assert f"`{name}`" in str(caught.value)
    assert said in str(caught.value)
