"""router openapi"""

from __future__ import annotations

import click

from router.cli.edge import echo_json


@click.command()
def command() -> None:
    """Print the description of the API (OpenAPI 3.1), for generators of clients.

    The running service has the same at /api/openapi.json, and a page to read at /api.

    \b
    Example:
      router openapi > router.openapi.json
    """
    from router.web.reference import description  # noqa: PLC0415 - not for `--help`

    echo_json(description())
