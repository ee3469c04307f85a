"""An explanation as text: every rule's verdict, its conditions, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from router.cli.paper import beside, clip, fold, plain, visible, width
from router.duration import show_duration
from router.view import minute, planned_in_words, step_in_words
from router.web.show import by_interest, state_word, took, waits_until, why

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.event import Event
    from router.ledger import DeliveryRow
    from router.match import Check
    from router.route import Decision
    from router.timing import Planned

NARROW = 6
"""Where conditions and deliveries begin if they do not fit under the verdict."""
FOLD = 15
"""Silent rules that a terminal shows in full; a pipe shows all."""
_COLOURS = {"matched": "green", "error": "red"}
_STATES = {"sent": "green", "failed": "red"}


class Line(msgspec.Struct, frozen=True):
    """A delivery under its rule: the channel, the title in quotes if known, what became of it."""

    channel: str
    title: str
    fate: str


def headline(event: Event) -> str:
    """The event in a line: trigger, case, process, and where the case moved."""
    fields = event.fields
    before, after = fields.get("previous_state_key"), fields.get("current_state_key")
    process = str(fields.get("process_key") or "")
    if before or after:
        moved = f"{before or '(none)'} -> {after or '(none)'}"
        process = f"{process}: {moved}" if process else moved
    parts = (event.trigger, event.case_ref or "no case", process)
    return "  ".join(plain(part).replace("\n", " ") for part in parts if part)


def show_decisions(decisions: Sequence[Decision], lines: Mapping[str, Sequence[Line]]) -> None:
    """Write every rule's verdict: those that spoke, those that failed, near misses, the others.

    `lines` are the deliveries by rule.
    """
    columns = width()
    ordered = by_interest(decisions)
    names = max((len(decision.rule) for decision in ordered), default=0)
    names = names if columns is None else min(names, max(12, columns // 3))
    silent = 0
    for number, decision in enumerate(ordered):
        silent += not (decision.matched or decision.outcome == "error" or _near(decision))
        if columns is not None and silent > FOLD:
            rest = len(ordered) - number
            click.echo(f"  and {rest} more that stayed silent; pipe it (`| less`) to see all")
            return
        _show(decision, lines.get(decision.rule, ()), names, columns)


def show_lines(lines: Sequence[Line], indent: int, columns: int | None) -> None:
    """Write deliveries, aligned; further left where they do not fit."""
    channels = max((len(line.channel) for line in lines), default=0)
    room = 60 if columns is None else max(20, (columns - indent - channels) // 2)
    titles = max((len(clip(line.title, room)) + 2 for line in lines if line.title), default=0)
    fates = max((visible(line.fate) for line in lines), default=0)
    if columns is not None and indent + channels + titles + fates + 5 > columns:
        indent = min(indent, NARROW)
    for line in lines:
        title = clip(plain(line.title), room)
        text = f"-> {line.channel:{channels}}  {title:{titles}}{line.fate}"
        click.echo(" " * indent + fold(text, indent + 3, columns))


def planned_line(planned: Planned, now: float) -> Line:
    """A delivery that would be made."""
    return Line(planned.channel, "", planned_in_words(planned, now) or "at once")


def stored_line(row: DeliveryRow, now: float, paused: Mapping[str, str]) -> Line:
    """A delivery that was made, and what became of it."""
    title = f'"{row.message.title}"' if row.message else ""
    return Line(row.channel, title, fate(row, now, paused))


def fate(row: DeliveryRow, now: float, paused: Mapping[str, str]) -> str:
    """What became of a delivery, and why, in a line."""
    word = state_word(row, now, paused)
    reason = why(row, now, paused)
    until = waits_until(row, now, paused)
    if until is not None:
        ahead = f"in {show_duration(until - now)}"
        word = f"waits until {minute(until)} ({ahead}{', ' + reason if reason else ''})"
        reason = ""
    told = [click.style(word, fg=_STATES.get(row.state))]
    if row.attempt:
        told.append(f"{row.attempt} attempt{'s' * (row.attempt != 1)}")
    if row.attempt and row.ended_at is not None:
        told.append(took(row))
    told += [part for part in (step_in_words(row.step),) if part]
    if row.carried_by not in (None, row.id):
        told.append(f"in one message with delivery {row.carried_by}")
    if row.fallback_of is not None:
        told.append(f"in place of delivery {row.fallback_of}")
    if row.resend_of is not None:
        told.append(f"again for delivery {row.resend_of}")
    if row.unsure:
        told.append("possible repeat")
    if row.message is not None and row.message.fault is not None:
        told.append(f"the {row.message.rung} words spoke, the template failed: {row.message.fault}")
    if reason:
        told.append(reason)
    return f"{', '.join(told)} (delivery {row.id})"


def _show(decision: Decision, lines: Sequence[Line], names: int, columns: int | None) -> None:
    outcome = decision.outcome if decision.outcome != "error" else "failed"
    word = click.style(f"{outcome:11}", fg=_COLOURS.get(decision.outcome, "bright_black"))
    name = click.style(decision.rule, bold=decision.matched)
    indent = names + 4
    near = decision.matched or decision.outcome == "error" or _near(decision)
    reason = decision.reason if near else _all_that_failed(decision)
    said = fold(reason, indent + 13, columns)
    click.echo(f"  {beside(name, names, f'{word}  {said}', None)}")
    if near and len(decision.checks) > 1:
        _show_checks(decision.checks, indent, columns)
    show_lines(lines, indent, columns)


def _show_checks(checks: Sequence[Check], indent: int, columns: int | None) -> None:
    fields = max(len(check.field) for check in checks)
    wants = max(min(len(check.expected), 48) for check in checks)
    needed = max(fields + max(wants, len(c.expected)) + len(c.actual) for c in checks) + 26
    narrow = columns is not None and indent + needed > columns
    for check in checks:
        text = click.style("holds", fg="green") if check.holds else click.style("fails", fg="red")
        if narrow:
            text += f"  {check.field}: expected {check.expected}, found {check.actual}"
        else:
            text += f"  {check.field:{fields}}  expected {check.expected:{wants}}"
            text += f"  found {check.actual}"
        margin = NARROW if narrow else indent
        click.echo(" " * margin + fold(text, margin + 7, columns))


def _near(decision: Decision) -> bool:
    """Whether a rule would have spoken but for one line, and something of it did hold."""
    held = any(check.holds for check in decision.checks)
    return decision.outcome == "no match" and decision.misses == 1 and held


def _all_that_failed(decision: Decision) -> str:
    reasons = [check.reason for check in decision.checks if not check.holds]
    if decision.outcome != "no match" or len(reasons) < 2 or "`any`" in decision.reason:
        return decision.reason
    return "; ".join(reasons)
