"""router unmute"""

from __future__ import annotations

import click

from router.cli.edge import fail, note_deed, open_ledger_now, settings_now


@click.command()
@click.argument("name")
def command(name: str) -> None:
    """End a mute before its time, by what it silences or by its number.

    \b
    Example:
      router unmute kyc-team
    """
    ledger = open_ledger_now(settings_now())
    ended = ledger.desk.unmute(name=name)
    if not ended and name.isascii() and name.isdigit():
        ended = ledger.desk.unmute(int(name))
    for mute in ended:
        note_deed(ledger, "unmute", f"{mute.kind} {mute.name}")
    ledger.close()
    if not ended:
        fail(f"nothing called `{name}` is muted; `router mute` lists what is")
    for mute in ended:
        many = sum(mute.held.values())
        click.echo(f"{mute.kind} `{mute.name}` speaks again; {many} held back")
