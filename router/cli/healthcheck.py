"""router healthcheck"""

from __future__ import annotations

import click

from router.cli.edge import ask_ready, fail, settings_now


@click.command()
def command() -> None:
    """Ask the service on this machine whether it is ready: exit 0 if it is, 1 if not.

    \b
    Example:
      router healthcheck && echo ready
    """
    settings = settings_now()
    answer = ask_ready(settings)
    if answer is None:
        fail(f"nothing answers on {settings.host}:{settings.port}")
    status, reasons = answer
    if status != 200:
        fail("not ready: " + ("; ".join(reasons) or f"it answers {status or 'no HTTP'}"))
    click.echo("ready")
