"""router events"""

from __future__ import annotations

import click

from router.cli.edge import echo_json, open_ledger_now, settings_now
from router.cli.lists import explain_nothing, filters_of, list_options, show_events, show_more


@click.command()
@list_options
def command(*, as_json: bool, **given: str | int | None) -> None:
    """List the events that were received, newest first.

    \b
    Example:
      router events --case KYC-0042
      router events --since 1d --json
    """
    import msgspec  # noqa: PLC0415 - not for `--help`

    from router.route import RoutingTable  # noqa: PLC0415
    from router.rulebook import rebuild  # noqa: PLC0415
    from router.view import event_view, explain_list  # noqa: PLC0415

    def table_of(hash_: str) -> RoutingTable | None:
        files = ledger.ruleset(hash_)
        return None if files is None else RoutingTable(rebuild(files))

    filters = filters_of(given)
    settings = settings_now()
    ledger = open_ledger_now(settings)
    rows = ledger.events(msgspec.structs.replace(filters, limit=filters.limit + 1))
    shown = rows[: filters.limit]
    if as_json:
        decided = explain_list(shown, table_of)
        echo_json([event_view(row, found) for row, found in zip(shown, decided, strict=True)])
    elif shown:
        show_events(shown)
        show_more(filters.limit, rows)
    else:
        explain_nothing("events", filters, ledger, settings)
    ledger.close()
