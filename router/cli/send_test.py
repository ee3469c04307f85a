"""router send-test"""

from __future__ import annotations

import os
import sys
import time

import click

from router.cli.edge import fail, note_deed, open_history, read_text, settings_now
from router.cli.paper import plain
from router.problem import report, suggest


@click.command()
@click.argument("channel")
def command(channel: str) -> None:
    """Send one real message to CHANNEL and say what the far end answered.

    Nothing is stored but who asked for it. With ROUTER_OUTBOUND=capture the message is shown
    instead. Exit 0 if the far end took it.

    \b
    Example:
      router send-test kyc-team
    """
    from router.delivery import ChannelError, Gateway, inspect  # noqa: PLC0415 - not for `--help`
    from router.rulebook import build, read_files  # noqa: PLC0415
    from router.send_test import send_test  # noqa: PLC0415

    settings = settings_now()
    found = build(
        read_files(settings.rules, settings.templates),
        environment=os.environ,
        read_file=read_text,
        inspect_channel=inspect,
        outbound=settings.outbound,
    )
    if found.ruleset is None:
        fail(report(found.problems, found.files, settings.rules, "correct them first"))
    known = found.ruleset.channels.get(channel)
    if known is None:
        fail(f"there is no channel `{channel}`; {suggest(channel, found.ruleset.channels)}", 2)
    try:
        gateway = Gateway(
            {channel: known},
            outbound=settings.outbound,
            ca_bundle=settings.ca_bundle,
            redactor=found.ruleset.redactor(),
        )
    except ChannelError as error:
        fail(str(error))
    outcome = send_test(gateway, known, base_url=settings.base_url, now=time.time())
    gateway.close()
    ledger = open_history(settings)
    if ledger is not None:
        note_deed(ledger, "test message", f"channel {channel}", outcome.detail)
        ledger.close()
    status = f" ({outcome.status})" if outcome.status else ""
    click.echo(f"{channel}: {outcome.kind}{status} in {outcome.elapsed:.2f} s: {outcome.detail}")
    if outcome.captured is not None:
        from router.web.show import captured_text  # noqa: PLC0415 - not for `--help`

        click.echo(plain(captured_text(outcome.captured)))
    elif outcome.kind == "delivered" and outcome.answer.strip():
        click.echo(f"it answered: {plain(' '.join(outcome.answer.split()))}")
    sys.exit(0 if outcome.kind == "delivered" else 1)
