"""router backtest"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from router.cli.edge import (
    echo_json,
    load_rules,
    open_history,
    read_since,
    settings_now,
)
from router.cli.paper import plain
from router.duration import show_duration

if TYPE_CHECKING:
    from router.backtest import Change, Kind, Report, Row, Side
    from router.rules import Ruleset
    from router.settings import Settings

KINDS: dict[Kind, str] = {
    "new": "newly said",
    "gone": "no longer said",
    "other": "said differently",
}


@click.command()
@click.argument("rules")
@click.option("--since", default="7d", show_default=True, help="Take the events from then on.")
@click.option("--fail-on-change", is_flag=True, help="Exit 1 if anything is said differently.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON for scripts.")
def command(rules: str, since: str, *, fail_on_change: bool, as_json: bool) -> None:
    """Tell what RULES would have said otherwise about the stored events than ROUTER_RULES would.

    Both run on the events' own clock, with their timers, digests and throttles, from nothing
    remembered at the beginning until now. Exit 0; 1 for broken rules or a change with
    --fail-on-change; 2 for wrong usage.

    \b
    Example:
      router backtest new-rules.yaml
      router backtest new-rules.yaml --since 30d --fail-on-change --json
    """
    settings = settings_now()
    moment = read_since(since)
    old, new = load_rules(settings), load_rules(settings, rules)
    began = time.perf_counter()
    report = _run(settings, old, new, moment)
    took = time.perf_counter() - began
    if as_json:
        echo_json(_plain(report))
    elif not report.events:
        click.echo(
            f"no events since then ({since}); widen --since, or post one to /hooks/SOURCE/SECRET"
        )
    else:
        show(report, took)
    if fail_on_change and report.changed:
        sys.exit(1)


def _run(settings: Settings, old: Ruleset, new: Ruleset, since: float) -> Report:
    from router.backtest import backtest  # noqa: PLC0415 - not for `--help`
    from router.cli.progress import watched  # noqa: PLC0415

    sides = (_side(settings, old), _side(settings, new))
    now = time.time()
    ledger = open_history(settings)
    if ledger is None:
        return backtest(*sides, (), now)
    try:
        span = ledger.history.span(since)
        if span is None:
            return backtest(*sides, (), now)
        events = watched(ledger.history.events(span), span.number, "rehearsing events")
        return backtest(*sides, events, now)
    finally:
        ledger.close()


def _side(settings: Settings, ruleset: Ruleset) -> Side:
    from router.backtest import Side  # noqa: PLC0415 - not for `--help`
    from router.delivery import formats  # noqa: PLC0415
    from router.render import Renderer  # noqa: PLC0415
    from router.route import RoutingTable  # noqa: PLC0415

    renderer = Renderer(ruleset.templates, base_url=settings.base_url)
    return Side(RoutingTable(ruleset), renderer, formats(ruleset.channels))


def show(report: Report, took: float) -> None:
    """Write what was found, for people; `took` is in seconds."""
    from router.view import minute  # noqa: PLC0415 - not for `--help`

    window = f"{minute(report.began)} to {minute(report.ended)}"
    click.echo(f"{report.events:,} events, {window}, under both rules in {show_duration(took)}")
    told = [f"{report.total(kind):,} {word}" for kind, word in KINDS.items()]
    click.echo(f"messages: {', '.join(told)}; {report.total('same'):,} as before")
    if report.total("unchecked"):
        number = report.total("unchecked")
        click.echo(f"{number:,} more are made by words that changed, and were not compared")
    if report.waiting[0] or report.waiting[1]:
        click.echo(
            f"still waiting at the end: {report.waiting[1]:,} (before: {report.waiting[0]:,})"
        )
    for name, keys in report.moved.items():
        click.echo(f"channel {name} goes elsewhere: {', '.join(keys)}")
    for name, (before, after) in report.failed.items():
        click.echo(f"rule {name} fails about {after:,} events (before: {before:,})")
    rows = [row for row in report.rows if row.changed or row.unchecked]
    if rows:
        _table(rows)
    for row in rows:
        _examples(row)
    if not report.changed:
        click.echo("nothing changes")


def _table(rows: list[Row]) -> None:
    from router.cli.table import Table  # noqa: PLC0415 - not for `--help`

    table = Table("rule", "channel", "new", "gone", "different", "as before", "in")
    for row in rows:
        told = [f"{name} {number:,}" for name, number in row.aspects.items()]
        told += [f"not compared {row.unchecked:,}"] if row.unchecked else []
        numbers = [f"{n:,}" if n else "-" for n in (row.new, row.gone, row.other, row.same)]
        table.add_row(row.rule, row.channel, *numbers, ", ".join(told))
    table.show()


def _examples(row: Row) -> None:
    for kind, word in KINDS.items():
        found = [change for change in row.examples if change.kind == kind]
        if found:
            number = getattr(row, kind)
            more = f"{number:,}, for example" if number > len(found) else f"{number:,}"
            head = f"{row.rule} -> {row.channel}: {word}, {more}"
            click.echo("\n" + click.style(plain(head), bold=True))
        for change in found:
            for line in _example(change):
                click.echo(f"  {plain(line)}")


def _example(change: Change) -> list[str]:
    from router.backtest import diff  # noqa: PLC0415 - not for `--help`
    from router.view import minute, step_in_words  # noqa: PLC0415

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
        lines.append(f"  {side}: {change.why}")
    if change.old_rule is not None:
        lines.append(f"  said by rule {change.old_rule} before")
    lines += [f"  {line}" for line in (_moved(change),) if line]
    if "events" in change.aspects:
        lines.append("  it lists other events than before")
    if change.before is not None and change.after is not None:
        lines += [f"  {line}" for line in diff(change.before, change.after)]
    return lines


def _moved(change: Change) -> str | None:
    from router.view import minute  # noqa: PLC0415 - not for `--help`

    if change.waits_until is not None:
        when = minute(change.waits_until)
        return f"now it waits until {when}" if change.at is None else f"before: not until {when}"
    if change.was is None or change.at is None or "time" not in change.aspects:
        return None
    apart = show_duration(abs(change.at - change.was))
    return f"{apart} {'later' if change.at > change.was else 'sooner'} than {minute(change.was)}"


def _plain(report: Report) -> dict[str, Any]:
    from router.view import iso  # noqa: PLC0415 - not for `--help`

    return {
        "events": report.events,
        "since": iso(report.began),
        "until": iso(report.ended),
        "changed": report.changed,
        "new": report.total("new"),
        "gone": report.total("gone"),
        "different": report.total("other"),
        "same": report.total("same"),
        "not_compared": report.total("unchecked"),
        "waiting": {"before": report.waiting[0], "after": report.waiting[1]},
        "failed": {n: {"before": b, "after": a} for n, (b, a) in report.failed.items()},
        "moved": report.moved,
        "rows": [
            {
                "rule": row.rule,
                "channel": row.channel,
                "new": row.new,
                "gone": row.gone,
                "different": row.other,
                "aspects": row.aspects,
                "same": row.same,
                "not_compared": row.unchecked,
                "examples": [_plain_change(change) for change in row.examples],
            }
            for row in report.rows
        ],
    }


def _plain_change(change: Change) -> dict[str, Any]:
    from router.view import iso, message_view, step_in_words  # noqa: PLC0415 - not for `--help`

    def words(message: Any) -> Any:
        return None if message is None else message_view(message)

    def when(at: float | None) -> str | None:
        return None if at is None else iso(at)

    return {
        "kind": {"new": "new", "gone": "gone", "other": "different"}[change.kind],
        "aspects": change.aspects,
        "event": change.event.id,
        "case": change.event.case_ref,
        "step": step_in_words(change.step),
        "at": {"before": when(change.was), "after": when(change.at)},
        "waits_until": when(change.waits_until),
        "why": change.why or None,
        "before": words(change.before),
        "after": words(change.after),
        "rule_before": change.old_rule,
    }
