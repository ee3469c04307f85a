"""router healthcheck"""

from __future__ import annotations

import http.client
import json

import click

from router.cli.edge import fail, settings_now


@click.command()
def command() -> None:
    """Ask the service on this machine whether it is ready: exit 0 if it is, 1 if not.

    \b
    Example:
      router healthcheck && echo ready
    """
    settings = settings_now()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.port, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost"})
        answer = connection.getresponse()
        content = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        fail(f"no answer from {host}:{settings.port}: {error}")
    finally:
        connection.close()
    if answer.status != 200:
        fail("not ready: " + "; ".join(content.get("reasons", [str(answer.status)])))
    click.echo("ready")
