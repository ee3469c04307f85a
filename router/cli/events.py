"""router events"""

from __future__ import annotations

import click

from router.cli.edge import echo_json, open_ledger_now, settings_now
from router.cli.lists import filters_of, list_options, show_events


@click.command()
@list_options
def command(*, as_json: bool, **given: str | int | None) -> None:
    """List the events that were received, newest first.

    \b
    Example:
      router events --case KYC-0042
      router events --since 1d --json
    """
    from router.view import event_view  # noqa: PLC0415 - not for `--help`

    filters = filters_of(given)
    ledger = open_ledger_now(settings_now())
    rows = ledger.events(filters)
    ledger.close()
    if as_json:
        echo_json([event_view(row) for row in rows])
    else:
        show_events(rows)
