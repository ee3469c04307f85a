"""router schema"""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Print the JSON Schema of rules.yaml, for editors that complete and explain it.

    \b
    Example:
      router schema > rules.schema.json
    """
    from router.rulebook import schema_text  # noqa: PLC0415 - not for `--help`

    click.echo(schema_text(), nl=False)
