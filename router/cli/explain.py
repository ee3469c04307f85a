"""router explain"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import click

from router.cli.edge import (
    echo_json,
    fail,
    load_rules,
    open_ledger_now,
    read_event,
    settings_now,
)
from router.duration import show_duration

if TYPE_CHECKING:
    from router.event import Event
    from router.ledger import DeliveryRow, EventRow
    from router.route import Decision


@click.command()
@click.argument("event")
@click.option("--json", "as_json", is_flag=True, help="Write JSON for scripts.")
@click.option("--source", default=None, help="The source a file's event is from.")
@click.option("--rules", "rules", default=None, help="Other rules than those of the event.")
def command(event: str, source: str | None, rules: str | None, *, as_json: bool) -> None:
    """Say why each rule spoke or stayed silent about EVENT: a JSON file, or a stored event's id.

    A stored event is explained under the rules that were in force when it came.

    \b
    Example:
      router explain 1841
      router explain event.json --json
    """
    if event.isdigit() and not os.path.exists(event):  # noqa: PTH110 - a name, not a path
        _explain_stored(int(event), rules, as_json=as_json)
    else:
        _explain_file(event, source, rules, as_json=as_json)


def _explain_file(path: str, source: str | None, rules: str | None, *, as_json: bool) -> None:
    from router.route import RoutingTable  # noqa: PLC0415 - not for `--help`
    from router.view import decision_view, planned_in_words  # noqa: PLC0415

    ruleset = load_rules(settings_now(), rules)
    event = read_event(path, source or next(iter(ruleset.sources), "file"))
    table = RoutingTable(ruleset)
    decisions = table.explain(event)
    if as_json:
        told = [decision_view(decision) for decision in decisions]
        echo_json({"trigger": event.trigger, "ruleset": ruleset.hash, "decisions": told})
        return
    click.echo(_headline(event))
    planned = table.route(event).planned
    for decision in decisions:
        lines = [
            f"-> {one.channel}  {planned_in_words(one, event.received_at)}".rstrip()
            for one in planned
            if one.rule == decision.rule
        ]
        _show(decision, lines, _width(decisions))


def _explain_stored(number: int, rules: str | None, *, as_json: bool) -> None:
    from router.route import RoutingTable  # noqa: PLC0415 - not for `--help`
    from router.rulebook import rebuild  # noqa: PLC0415
    from router.view import event_view, explain, stored_event  # noqa: PLC0415

    settings = settings_now()
    ledger = open_ledger_now(settings)
    row = ledger.event(number)
    files = ledger.ruleset(row.ruleset or "") if row else None
    ledger.close()
    if row is None:
        fail(f"there is no event {number}; `router events` lists them")
    ruleset = load_rules(settings, rules) if rules or files is None else rebuild(files)
    decisions = explain(row, RoutingTable(ruleset))
    if as_json:
        echo_json(event_view(row, decisions))
        return
    event = stored_event(row)
    if event is None:
        click.echo(f"event {number} was rejected: {row.rejected}")
        return
    click.echo(_headline(event) + f"        event {number}")
    for decision in decisions:
        made = [_delivery_line(d) for d in row.deliveries if d.rule == decision.rule]
        _show(decision, made, _width(decisions))
    _show_rest(row, {decision.rule for decision in decisions})


def _headline(event: Event) -> str:
    fields = event.fields
    parts = [event.trigger, event.case_ref or "no case", str(fields.get("process_key") or "")]
    before, after = fields.get("previous_state_key"), fields.get("current_state_key")
    if before or after:
        parts[2] += f": {before} -> {after}"
    return "  ".join(part for part in parts if part)


def _show(decision: Decision, lines: list[str], width: int) -> None:
    word = decision.outcome if decision.outcome != "error" else "failed"
    name = click.style(decision.rule.ljust(width), bold=decision.matched)
    colour = {"matched": "green", "error": "red"}.get(decision.outcome, "bright_black")
    click.echo(f"  {name}  {click.style(word.ljust(11), fg=colour)}  {decision.reason}")
    for line in lines:
        click.echo(f"  {' ' * width}  {line}")


def _show_rest(row: EventRow, rules: set[str]) -> None:
    for delivery in row.deliveries:
        if delivery.rule not in rules:
            click.echo(f"  {delivery.rule}  {_delivery_line(delivery)}")


def _delivery_line(row: DeliveryRow) -> str:
    from router.view import minute  # noqa: PLC0415 - not for `--help`

    title = f'  "{row.message.title}"' if row.message else ""
    waits = row.state == "pending"
    until = f"waits until {minute(row.due_at)}" if row.due_at > time.time() else "waits"
    parts: list[str] = [until if waits else row.state]
    if row.attempt:
        parts.append(f"{row.attempt} attempt{'s' * (row.attempt != 1)}")
    if row.ended_at is not None and row.attempt:
        parts.append(show_duration(row.ended_at - row.created_at))
    if row.reason:
        parts.append(row.reason)
    return f"-> {row.channel}{title}  {', '.join(parts)}"


def _width(decisions: tuple[Decision, ...]) -> int:
    return max((len(decision.rule) for decision in decisions), default=0)
