"""router mute"""

from __future__ import annotations

import time

import click

from router.cli.edge import fail, load_rules, note_deed, open_ledger_now, settings_now, who_asks
from router.cli.lists import show_mutes


@click.command()
@click.argument("name", required=False)
@click.option("--for", "length", metavar="TIME", help="How long: 30m, 2h, 1d12h; at most a year.")
@click.option("--reason", metavar="TEXT", help="Why; it stands on everything it silences.")
@click.option(
    "--kind",
    metavar="KIND",
    help="rule, channel, case or source: for a NAME of two things, or a case without a digit.",
)
@click.option("--ended", is_flag=True, help="List ended ones as well.")
def command(
    name: str | None, length: str | None, reason: str | None, kind: str | None, *, ended: bool
) -> None:
    """Silence a rule, a channel, a case or a source; without NAME, list what is muted.

    What is silenced is recorded with the reason. The mute ends by itself, and says how much it
    held back.

    \b
    Example:
      router mute kyc-team --for 2h --reason "migration of old cases"
      router mute KYC-0042 --for 1d --reason "test case"
    """
    from router.mute import begin_mute  # noqa: PLC0415 - not for `--help`

    settings = settings_now()
    if name is None:
        ledger = open_ledger_now(settings)
        show_mutes(ledger.desk.mutes(ended=ended))
        ledger.close()
        return
    if length is None or reason is None:
        fail('say for how long and why: router mute NAME --for 2h --reason "..."', 2)
    ruleset = load_rules(settings)
    ledger = open_ledger_now(settings)
    now = time.time()
    try:
        mute = begin_mute(
            ledger,
            ruleset,
            name=name,
            kind=kind,
            length=length,
            reason=reason,
            author=who_asks(),
            now=now,
        )
    except ValueError as error:
        hint = "" if kind else "; --kind says which"
        fail(f"{error}{hint if 'say' in str(error) else ''}", 2)
    note_deed(ledger, "mute", f"{mute.kind} {mute.name}", f"for {length}: {mute.reason}")
    ledger.close()
    click.echo(
        f"{mute.kind} `{mute.name}` is muted for {length}; `router unmute {mute.id}` ends it"
    )
