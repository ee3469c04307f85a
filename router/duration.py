"""Durations and moments as people write them: `90s`, `1d12h`, `2026-03-01T08:00Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
LONGEST = 10 * 366 * 86400.0


def parse_duration(text: str) -> float:
    """Return the seconds that `text` means (`ms s m h d w`, combined as `1d12h`).

    Raises ValueError, in words for the person who wrote it, for anything else.
    """
    found = _PART.findall(text)
    if not found or "".join(number + unit for number, unit in found) != text:
        raise ValueError(f"`{text}` is not a duration; write one like `30s`, `2h` or `1d12h`")
    seconds = sum(float(number) * SECONDS[unit] for number, unit in found)
    if seconds > LONGEST:
        raise ValueError(f"`{text}` is longer than ten years")
    return seconds


def read_moment(text: str, now: float) -> float:
    """Epoch seconds of a time (`2026-03-01T08:00Z`) or of a duration before now (`7d`).

    Raises ValueError, in words, for anything else.
    """
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        form = "write a time like 2026-03-01T08:00Z or a duration like 7d"
        raise ValueError(f"`{text}` is neither a time nor a duration; {form}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def show_duration(seconds: float) -> str:
    """Write seconds for a reader: `4 ms`, `0.2 s`, `45 s`, `2 min`, `3 h 20 min`, `2 d`."""
    if seconds > LONGEST:  # also what is no number of days at all
        return "more than ten years"
    if 0 < seconds < 0.0995:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def write_duration(seconds: float) -> str:
    """Write seconds as `parse_duration` reads them, to the millisecond: `1d12h`, `1m30s`, `0s`."""
    left = round(seconds * 1000)
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        size = round(SECONDS[unit] * 1000)
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts) or "0s"
