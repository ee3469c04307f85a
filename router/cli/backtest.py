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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.backtest import Change, Report, Side
    from router.retold import Line
    from router.rules import Ruleset
    from router.settings import Settings


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
    from router.retold import retell  # noqa: PLC0415 - not for `--help`

    told = retell(report, took)
    for sentence in told.sentences:
        click.echo(plain(sentence))
    if told.lines:
        _table(told.lines)
    for line in told.lines:
        for kind in line.examples:
            head = f"{line.rule} -> {line.channel}: {kind.words}"
            click.echo("\n" + click.style(plain(head), bold=True))
            for first, *rest in kind.lines:
                click.echo(f"  {plain(first)}")
                for one in rest:
                    click.echo(f"    {plain(one)}")
    if told.more:
        click.echo(f"\nand {told.more:,} rules and channels more; --json has them all")
    if not told.changed:
        click.echo("nothing changes")


def _table(lines: Sequence[Line]) -> None:
    from router.cli.table import Table  # noqa: PLC0415 - not for `--help`

    table = Table("rule", "channel", "new", "gone", "different", "as before", "in")
    for line in lines:
        numbers = (line.new, line.gone, line.other, line.same)
        shown = [f"{number:,}" if number else "-" for number in numbers]
        table.add_row(line.rule, line.channel, *shown, line.what)
    table.show()


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
