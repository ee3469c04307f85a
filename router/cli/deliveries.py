"""router deliveries"""

from __future__ import annotations

import click

from router.cli.edge import echo_json, open_ledger_now, settings_now
from router.cli.lists import filters_of, list_options, show_deliveries


@click.command()
@list_options
def command(*, as_json: bool, **given: str | int | None) -> None:
    """List deliveries and what became of them, newest first.

    \b
    Example:
      router deliveries --state failed
      router deliveries --channel compliance --since 7d --json
    """
    from router.view import delivery_view  # noqa: PLC0415 - not for `--help`

    filters = filters_of(given)
    ledger = open_ledger_now(settings_now())
    rows = ledger.deliveries(filters)
    ledger.close()
    if as_json:
        echo_json([delivery_view(row) for row in rows])
    else:
        show_deliveries(rows)
