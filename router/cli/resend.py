"""router resend"""

from __future__ import annotations

import sys

import click

from router.cli.edge import fail, load_rules, note_deed, open_ledger_now, settings_now
from router.cli.lists import filter_options, filters_of, show_deliveries


@click.command()
@click.argument("ids", nargs=-1, type=int)
@filter_options
@click.option("--fresh", is_flag=True, help="Render the words again, under the rules on disk.")
@click.option("--dry-run", is_flag=True, help="Only say which would be sent.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(
    ids: tuple[int, ...], *, fresh: bool, dry_run: bool, yes: bool, **given: str | int | None
) -> None:
    """Send deliveries again: those with these IDS, or all that the filters find.

    Each becomes a new delivery, linked to the old one; the running service sends it.

    \b
    Example:
      router resend 17
      router resend --state failed --since 1d --dry-run
    """
    narrowed = any(value is not None for name, value in given.items() if name != "limit")
    if bool(ids) == narrowed:
        fail("name deliveries by their ids, or narrow them by filters like --state failed", 2)
    settings = settings_now()
    ledger = open_ledger_now(settings)
    if narrowed:
        rows = [row for row in ledger.deliveries(filters_of(given)) if row.state != "pending"]
        show_deliveries(rows)
        ids = tuple(row.id for row in rows)
    if dry_run or not ids:
        click.echo(f"{len(ids)} would be sent again")
        return
    if narrowed and not yes and not click.confirm(f"send {len(ids)} again?"):
        return
    under = None
    if fresh:
        ruleset = load_rules(settings)
        under = ruleset.hash
        ledger.keep_ruleset(ruleset.hash, ruleset.files)
    answers = ledger.resend(ids, fresh_under=under)
    for answer in answers:
        if answer.new is not None:
            detail = f"as {answer.new}{', fresh words' if fresh else ''}"
            note_deed(ledger, "resend", f"delivery {answer.delivery}", detail)
    ledger.close()
    for answer in answers:
        click.echo(f"delivery {answer.delivery}: {answer.reason}")
    if any(answer.new is None for answer in answers):
        sys.exit(1)
