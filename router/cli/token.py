"""router token"""

from __future__ import annotations

import secrets

import click


@click.command()
def command() -> None:
    """Print a fresh secret for a source, the API or a password.

    \b
    Example:
      export ATFINITY_SECRET=$(router token)
    """
    click.echo(secrets.token_urlsafe(32))
