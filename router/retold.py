"""How a backtest is told to people: what would newly be said, no longer, or differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.backtest import diff
from router.duration import show_duration
from router.view import minute, step_in_words

if TYPE_CHECKING:
    from router.backtest import Change, Kind, Report, Row

KINDS: dict[Kind, str] = {
    "new": "newly said",
    "gone": "no longer said",
    "other": "said differently",
}
ROWS = 200


class Examples(msgspec.Struct, frozen=True):
    """Some of a row's changes of one kind: the words for them, and the lines of each."""

    words: str
    lines: tuple[tuple[str, ...], ...]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One rule and channel whose messages change; `what` says in what they differ."""

    rule: str
    channel: str
    new: int
    gone: int
    other: int
    same: int
    what: str
    examples: tuple[Examples, ...]


class Retold(msgspec.Struct, frozen=True, kw_only=True):
    """A report in words: its sentences, and a line for each rule and channel that changes.

    `more` are left out. Without a change nothing but the sentences is left to say.
    """

    changed: bool
    sentences: tuple[str, ...]
    lines: tuple[Line, ...]
    more: int


def retell(report: Report, took: float) -> Retold:
    """Say what was found; `took` is in seconds."""
    rows = [row for row in report.rows if row.changed or row.unchecked]
    sentences = tuple(_sentences(report, took))
    lines = tuple(_line(row) for row in rows[:ROWS])
    more = len(rows) - len(lines)
    return Retold(changed=report.changed, sentences=sentences, lines=lines, more=more)


def _sentences(report: Report, took: float) -> list[str]:
    window = f"{minute(report.began)} to {minute(report.ended)}"
    told = [f"{report.events:,} events, {window}, under both rules in {show_duration(took)}"]
    numbers = ", ".join(f"{report.total(kind):,} {word}" for kind, word in KINDS.items())
    told.append(f"messages: {numbers}; {report.total('same'):,} as before")
    if report.total("unchecked"):
        number = report.total("unchecked")
        told.append(f"{number:,} more are made by words that changed, and were not compared")
    before, after = report.waiting
    if before or after:
        told.append(f"still waiting at the end: {after:,} (before: {before:,})")
    for name, keys in report.moved.items():
        told.append(f"channel {name} goes elsewhere: {', '.join(keys)}")
    for name, (old, new) in report.failed.items():
        told.append(f"rule {name} fails about {new:,} events (before: {old:,})")
    return told


def _line(row: Row) -> Line:
    told = [f"{name} {number:,}" for name, number in row.aspects.items()]
    told += [f"not compared {row.unchecked:,}"] if row.unchecked else []
    return Line(
        rule=row.rule,
        channel=row.channel,
        new=row.new,
        gone=row.gone,
        other=row.other,
        same=row.same,
        what=", ".join(told),
        examples=tuple(_examples(row)),
    )


def _examples(row: Row) -> list[Examples]:
    told = []
    for kind, word in KINDS.items():
        found = [change for change in row.examples if change.kind == kind]
        if found:
            number = getattr(row, kind)
            more = f"{number:,}, for example" if number > len(found) else f"{number:,}"
            lines = tuple(tuple(_example(change)) for change in found)
            told.append(Examples(f"{word}, {more}", lines))
    return told


def _example(change: Change) -> list[str]:
    words = change.after or change.before
    case = change.event.case_ref or "no case"
    at = change.at if change.at is not None else change.was
    parts = [f"{case}  event {change.event.id}"]
    parts += [minute(at)] if at is not None else []
    parts += [word for word in (step_in_words(change.step),) if word]
    parts += [f'"{words.title}"'] if words is not None else []
    lines = ["  ".join(parts)]
    if change.why:
        side = "before" if change.kind == "new" else "now"
        lines.append(f"{side}: {change.why}")
    if change.old_rule is not None:
        lines.append(f"said by rule {change.old_rule} before")
    lines += [line for line in (_moved(change),) if line]
    if "events" in change.aspects:
        lines.append("it lists other events than before")
    if change.before is not None and change.after is not None:
        lines += diff(change.before, change.after)
    return lines


def _moved(change: Change) -> str | None:
    if change.waits_until is not None:
        when = minute(change.waits_until)
        return f"now it waits until {when}" if change.at is None else f"before: not until {when}"
    if change.was is None or change.at is None or "time" not in change.aspects:
        return None
    apart = show_duration(abs(change.at - change.was))
    return f"{apart} {'later' if change.at > change.was else 'sooner'} than {minute(change.was)}"
