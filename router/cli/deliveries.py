"""router deliveries"""

from __future__ import annotations

import time

import click

from router.cli.edge import echo_json, open_ledger_now, rules_on_disk, settings_now
from router.cli.lists import explain_nothing, filters_of, list_options, show_deliveries, show_more


@click.command()
@list_options
def command(*, as_json: bool, **given: str | int | None) -> None:
    """List deliveries and what became of them, newest first.

    \b
    Example:
      router deliveries --state failed
      router deliveries --channel compliance --since 7d --json
    """
    import msgspec  # noqa: PLC0415 - not for `--help`

    from router.holds import with_reasons  # noqa: PLC0415
    from router.view import delivery_view  # noqa: PLC0415

    filters = filters_of(given)
    settings = settings_now()
    ledger = open_ledger_now(settings)
    rows = ledger.deliveries(msgspec.structs.replace(filters, limit=filters.limit + 1))
    today = rules_on_disk(settings) if any(row.state == "pending" for row in rows) else None
    shown = rows[: filters.limit]
    if today is not None:
        shown = with_reasons(shown, today.channels, ledger.lanes(), time.time())
    if as_json:
        echo_json([delivery_view(row) for row in ledger.with_attempts(shown)])
    elif shown:
        show_deliveries(shown)
        show_more(filters.limit, rows)
    else:
        explain_nothing("deliveries", filters, ledger, settings)
    ledger.close()
