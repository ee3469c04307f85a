"""router explain"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from router.cli.edge import (
    echo_json,
    fail,
    is_stored,
    load_rules,
    open_ledger_now,
    read_event,
    rules_on_disk,
    settings_now,
    source_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.event import Event
    from router.ledger import EventRow, LaneRow
    from router.route import Decision, RoutingTable
    from router.settings import Settings


@click.command()
@click.argument("event")
@click.option("--json", "as_json", is_flag=True, help="Write JSON for scripts.")
@click.option(
    "--source", metavar="NAME", help="The source a file's event is from; otherwise the first."
)
@click.option("--rules", metavar="RULES", help="Other rules than those of the event.")
@click.option("--as-test", is_flag=True, help="Write a test for `tests:` from it instead.")
def command(
    event: str, source: str | None, rules: str | None, *, as_json: bool, as_test: bool
) -> None:
    """Say why each rule spoke or stayed silent about EVENT, and what became of it.

    EVENT is a JSON file (- for stdin), or a stored event's id. A stored event is explained under
    the rules that were in force when it came. Rules that spoke come first, then those that nearly
    did.

    \b
    Example:
      router explain 1841
      router explain 1841 --rules new-rules.yaml
      router explain event.json --json
      router explain 1841 --as-test
    """
    if as_test:
        from router.cli.as_test import write_test  # noqa: PLC0415 - not for `--help`

        write_test(event, source, rules)
    elif is_stored(event):
        _explain_stored(int(event), source, rules, as_json=as_json)
    else:
        _explain_file(event, source, rules, as_json=as_json)


def _explain_file(path: str, source: str | None, rules: str | None, *, as_json: bool) -> None:
    from router.route import RoutingTable  # noqa: PLC0415 - not for `--help`
    from router.view import decision_view, planned_event_view  # noqa: PLC0415

    ruleset = load_rules(settings_now(), rules)
    event = read_event(path, source_of(source, list(ruleset.sources)))
    table = RoutingTable(ruleset)
    decisions = table.explain(event)
    if as_json:
        view = planned_event_view(event, ruleset.hash, table.route(event))
        echo_json({**view, "decisions": [decision_view(decision) for decision in decisions]})
        return
    from router.cli.reasons import headline  # noqa: PLC0415

    click.echo(headline(event) + f"        as if it came now from {event.source}")
    _show_planned(event, table, decisions)


def _explain_stored(number: int, source: str | None, rules: str | None, *, as_json: bool) -> None:
    from router.cli.reasons import headline  # noqa: PLC0415 - not for `--help`
    from router.event import OWN  # noqa: PLC0415
    from router.view import event_view, explain, stored_event  # noqa: PLC0415

    if source is not None:
        fail("a stored event has its source; --source is for a file", 2)
    settings = settings_now()
    ledger = open_ledger_now(settings)
    row = ledger.event(number)
    files = ledger.ruleset(row.ruleset or "") if row else None
    lanes = ledger.lanes()
    ledger.close()
    if row is None:
        fail(f"there is no event {number}; `router events` lists them")
    table = _table(files, rules, settings)
    decisions = explain(row, table) if table is not None else ()
    if as_json:
        by = None if table is None else table.ruleset.hash
        echo_json({**event_view(row, decisions), "explained_by": by})
        return
    event = stored_event(row)
    if event is None:
        _show_rejected(row)
        return
    click.echo(headline(event) + f"        event {number}")
    if rules and table is not None and event.source != OWN:
        click.echo(f"by {rules}, as it would be:")
        _show_planned(event, table, decisions)
        click.echo("what really became of it:")
        _show_made(row, (), settings, lanes)
        return
    _show_made(row, decisions, settings, lanes)
    if files is None and event.source != OWN:
        others = "these are the reasons of today's" if table else "and those on disk are broken"
        click.echo(f"the rules of that time are no longer kept; {others}")


def _table(
    files: Mapping[str, str] | None, rules: str | None, settings: Settings
) -> RoutingTable | None:
    """The rules to explain by: those given, those of the event, or those on disk if they hold."""
    from router.route import RoutingTable  # noqa: PLC0415 - not for `--help`
    from router.rulebook import rebuild  # noqa: PLC0415

    if rules is not None:
        return RoutingTable(load_rules(settings, rules))
    ruleset = rules_on_disk(settings) if files is None else rebuild(files)
    return None if ruleset is None else RoutingTable(ruleset)


def _show_planned(event: Event, table: RoutingTable, decisions: tuple[Decision, ...]) -> None:
    from router.cli.paper import fold, width  # noqa: PLC0415
    from router.cli.reasons import Line, planned_line, show_decisions  # noqa: PLC0415

    routing = table.route(event)
    lines: dict[str, list[Line]] = {}
    for planned in routing.planned:
        lines.setdefault(planned.rule, []).append(planned_line(planned, event.received_at))
    show_decisions(decisions, lines)
    for rule in routing.cancels:
        text = f"what `{rule}` still has to say about this case is cancelled"
        click.echo("  " + fold(text, 2, width()))
    for rule, text in routing.errors:
        if text.startswith("`unless`"):
            click.echo("  " + fold(f"{rule}: {text}", 2, width()))


def _show_made(
    row: EventRow,
    decisions: tuple[Decision, ...],
    settings: Settings,
    lanes: dict[str, LaneRow],
) -> None:
    from router.cli.paper import fold, plain, width  # noqa: PLC0415
    from router.cli.reasons import Line, show_decisions, show_lines, stored_line  # noqa: PLC0415
    from router.event import OWN  # noqa: PLC0415
    from router.holds import why_paused  # noqa: PLC0415
    from router.view import stored_event  # noqa: PLC0415

    today = rules_on_disk(settings)
    paused = why_paused(today.channels, lanes) if today else {}
    now = time.time()
    lines: dict[str, list[Line]] = {}
    for delivery in row.deliveries:
        lines.setdefault(delivery.rule, []).append(stored_line(delivery, now, paused))
    if row.source == OWN:
        click.echo("the router told this about itself; no rule of yours was asked")
        event = stored_event(row)
        for name in ("title", "text"):
            if event is not None and event.fields.get(name):
                click.echo("  " + fold(plain(str(event.fields[name])), 2, width()))
    show_decisions(decisions, lines)
    asked = {decision.rule for decision in decisions}
    for rule, others in lines.items():
        if rule not in asked:
            click.echo(f"  {rule}")
            show_lines(others, 4, width())
    if not row.deliveries:
        click.echo("  nobody was told")


def _show_rejected(row: EventRow) -> None:
    from router.cli.paper import plain  # noqa: PLC0415

    click.echo(f"event {row.id} was rejected: {row.rejected}")
    click.echo("it is kept as it came, and nobody was told; it began with:")
    text = row.body[:400].decode("utf-8", "replace")
    for line in text.splitlines()[:8]:
        click.echo(f"  {plain(line)}")
