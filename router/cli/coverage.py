"""router coverage"""

from __future__ import annotations

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
    from collections.abc import Mapping

    from router.coverage import Coverage, Kind, Seen
    from router.rules import Ruleset
    from router.settings import Settings

SHOWN = 100
"""Kinds that a table shows; `--json` tells all."""


@click.command()
@click.argument("rules", required=False)
@click.option("--since", default="30d", show_default=True, help="From then on.")
@click.option("--known", is_flag=True, help="Write only the words that came, as `known:`.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON for scripts.")
def command(rules: str | None, since: str, *, known: bool, as_json: bool) -> None:
    """Tell which kinds of events came, and which of them no rule of RULES speaks about.

    A kind is a source, trigger, process, state and transition. RULES are those of ROUTER_RULES
    unless others are named; a rule that speaks `otherwise` does not count.

    \b
    Example:
      router coverage --since 7d
      router coverage --known >> rules.yaml
    """
    from router.coverage import known_block  # noqa: PLC0415 - not for `--help`

    settings = settings_now()
    moment = read_since(since)
    began = time.perf_counter()
    coverage = _learn(settings, load_rules(settings, rules), moment)
    if known:
        click.echo(known_block(coverage.vocabulary()), nl=False)
    elif as_json:
        echo_json(_plain(coverage))
    elif not coverage.number:
        click.echo(
            f"no events since then ({since}); widen --since, or post one to /hooks/SOURCE/SECRET"
        )
    else:
        _show(coverage, moment, time.perf_counter() - began)


def _learn(settings: Settings, ruleset: Ruleset, since: float) -> Coverage:
    from router.cli.progress import watched  # noqa: PLC0415 - not for `--help`
    from router.coverage import Coverage  # noqa: PLC0415
    from router.route import RoutingTable  # noqa: PLC0415

    coverage = Coverage(RoutingTable(ruleset))
    ledger = open_history(settings)
    span = ledger.history.span(since) if ledger is not None else None
    if ledger is not None and span is not None:
        for event in watched(ledger.history.events(span), span.number, "reading events"):
            coverage.add(event)
    if ledger is not None:
        ledger.close()
    return coverage


def _show(coverage: Coverage, since: float, took: float) -> None:
    from router.view import minute  # noqa: PLC0415 - not for `--help`

    kinds = coverage.kinds()
    silent = [found for found in kinds if found[1].silent]
    spoken = [found for found in kinds if not found[1].silent]
    told = f"{coverage.number:,} events since {minute(since)}, of {len(kinds):,} kinds"
    click.echo(f"{told}; read in {show_duration(took)}")
    if silent:
        click.echo("\n" + click.style("No rule speaks about", bold=True))
        _table(silent, "silent", "of", "rules")
    if spoken:
        click.echo("\n" + click.style("Rules speak about", bold=True))
        _table(spoken, "events", "", "rules")
    _listed("These rules spoke about nothing", coverage.never())
    _listed(
        "Rules name words that never came",
        [f"{rule}: {field} {word}" for rule, field, word in coverage.unseen()],
    )
    _listed(
        "Rules failed", [f"{rule}: {number:,} events" for rule, number in coverage.failed.items()]
    )


def _table(found: list[tuple[Kind, Seen]], first: str, second: str, last: str) -> None:
    from router.cli.table import Table  # noqa: PLC0415 - not for `--help`

    columns = [first, *([second] if second else []), "source", "trigger", "process", "state"]
    made = Table(*columns, "transition", "last", last)
    now = time.time()
    for kind, seen in found[:SHOWN]:
        numbers = [f"{seen.number:,}"] if not second else [f"{seen.silent:,}", f"{seen.number:,}"]
        names = [part if part is not None else "-" for part in kind]
        ago = show_duration(max(0.0, now - seen.last)) + " ago"
        made.add_row(*numbers, *names, ago, _rules(seen))
    made.show()
    if len(found) > SHOWN:
        click.echo(f"and {len(found) - SHOWN:,} more; --json tells all")


def _rules(seen: Seen) -> str:
    """Who spoke, with the number where it is not about every event."""

    def told(rules: Mapping[str, int]) -> str:
        return ", ".join(
            name if number == seen.number else f"{name} ({number:,})"
            for name, number in rules.items()
        )

    rest = f"otherwise {told(seen.rest)}" if seen.rest else ""
    return "; ".join(part for part in (told(seen.rules), rest) if part)


def _listed(title: str, lines: list[str]) -> None:
    if lines:
        click.echo("\n" + click.style(title, bold=True))
        for line in lines[:SHOWN]:
            click.echo(f"  {plain(line)}")


def _plain(coverage: Coverage) -> dict[str, Any]:
    from router.view import iso  # noqa: PLC0415 - not for `--help`

    return {
        "events": coverage.number,
        "kinds": [
            {
                **kind._asdict(),
                "events": seen.number,
                "silent": seen.silent,
                "last": iso(seen.last),
                "rules": seen.rules,
                "rest": seen.rest,
            }
            for kind, seen in coverage.kinds()
        ],
        "never_spoke": coverage.never(),
        "never_came": [
            {"rule": rule, "field": field, "word": word} for rule, field, word in coverage.unseen()
        ],
        "failed": coverage.failed,
        "known": coverage.vocabulary(),
    }
