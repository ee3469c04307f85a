"""What `events`, `deliveries` and `resend` share: filters and tables."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import click

from router.cli.edge import fail
from router.duration import read_moment, show_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.table import Table

    from router.ledger import DeliveryRow, EventRow, Filters, Mute, Token

F = TypeVar("F", bound="Callable[..., Any]")
_STYLES = {"sent": "green", "failed": "red", "pending": "yellow"}


def filter_options(function: F) -> F:
    """Add the options that narrow a list."""
    options = [
        click.option(
            "--state",
            type=click.Choice(["pending", "sent", "failed", "cancelled", "suppressed"]),
            help="Only deliveries in this state.",
        ),
        click.option("--case", help="Only this case, like KYC-0042."),
        click.option("--channel", help="Only this channel."),
        click.option("--rule", help="Only this rule."),
        click.option("--trigger", help="Only this trigger."),
        click.option("--source", help="Only this source."),
        click.option("--since", help="From then on: 7d, or 2026-03-01T08:00Z."),
        click.option("--until", help="Before then."),
        click.option("-q", "q", help="Events that hold this text (case, process)."),
        click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def list_options(function: F) -> F:
    """Add the filters and `--json`."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON for scripts.")
    return filter_options(as_json(function))


def filters_of(given: Mapping[str, str | int | None]) -> Filters:
    """The filters that the options say; ends in words for a time that makes no sense."""
    from router.ledger import Filters  # noqa: PLC0415 - not for `--help`

    values: dict[str, Any] = dict(given)
    for name in ("since", "until"):
        if values.get(name) is not None:
            try:
                values[name] = read_moment(values[name], time.time())
            except ValueError as error:
                fail(f"--{name}: {error}", 2)
    return Filters(**values)


def show_events(rows: Sequence[EventRow]) -> None:
    """Write events as a table."""
    if not rows:
        click.echo("no events; post one to /hooks/SOURCE/SECRET, or widen the filters")
        return
    from rich.markup import escape  # noqa: PLC0415 - not for `--help`

    table = new_table("event", "received", "trigger", "case", "rules", "deliveries")
    for row in rows:
        told = "rejected: " + row.rejected if row.rejected else row.trigger or ""
        made = ", ".join(f"{d.channel} {_coloured(d.state)}" for d in row.deliveries)
        table.add_row(
            str(row.id),
            _ago(row.received_at),
            escape(told),
            escape(row.case_ref or ""),
            str(row.matched),
            made,
        )
    print_table(table)


def show_deliveries(rows: Sequence[DeliveryRow]) -> None:
    """Write deliveries as a table."""
    if not rows:
        click.echo("no deliveries; widen the filters, or see `router events`")
        return
    from rich.markup import escape  # noqa: PLC0415 - not for `--help`

    table = new_table(
        "delivery", "event", "made", "case", "rule", "channel", "state", "attempts", "why"
    )
    for row in rows:
        table.add_row(
            str(row.id),
            str(row.event_id),
            _ago(row.created_at),
            escape(row.case_ref or ""),
            escape(row.rule),
            escape(row.channel),
            _coloured(row.state),
            str(row.attempt),
            escape(row.reason or ""),
        )
    print_table(table)


def show_mutes(mutes: Sequence[Mute]) -> None:
    """Write mutes as a table."""
    if not mutes:
        click.echo("nothing is muted")
        return
    from rich.markup import escape  # noqa: PLC0415 - not for `--help`

    table = new_table("mute", "of", "name", "until", "by", "held back", "why")
    now = time.time()
    for mute in mutes:
        left = show_duration(max(0.0, mute.until - now))
        until = "ended" if mute.ended_at is not None else f"in {left}"
        held = str(sum(mute.held.values()))
        names = (mute.kind, escape(mute.name), until, escape(mute.author), held)
        table.add_row(str(mute.id), *names, escape(mute.reason))
    print_table(table)


def show_tokens(tokens: Sequence[Token], now: float) -> None:
    """Write tokens as a table."""
    if not tokens:
        click.echo("no tokens; `router token new NAME --role viewer` makes one")
        return
    from rich.markup import escape  # noqa: PLC0415 - not for `--help`

    table = new_table("token", "role", "made", "by", "last used", "holds")
    for token in tokens:
        holds = "until it is revoked"
        if token.revoked_at is not None:
            holds = "revoked"
        elif token.until is not None:
            holds = f"for {show_duration(token.until - now)}" if token.until > now else "is over"
        used = "never" if token.used_at is None else _ago(token.used_at)
        names = (escape(token.name), token.role, _ago(token.created_at), escape(token.author))
        table.add_row(*names, used, holds)
    print_table(table)


def new_table(*columns: str) -> Table:
    """An empty table in the form that all lists have."""
    from rich import box  # noqa: PLC0415 - not for `--help`
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_table(table: Table) -> None:
    """Write a table: as wide as the terminal, or as wide as it needs where there is none."""
    from rich.console import Console  # noqa: PLC0415 - not for `--help`

    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def _coloured(state: str) -> str:
    style = _STYLES.get(state, "dim")
    return f"[{style}]{state}[/{style}]"


def _ago(at: float) -> str:
    return show_duration(max(0.0, time.time() - at)) + " ago"
