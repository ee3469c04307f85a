"""router graph"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from router.cli.edge import load_rules, open_history, read_since, settings_now

if TYPE_CHECKING:
    from router.graph import Counts
    from router.settings import Settings


@click.command()
@click.argument("rules", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["svg", "mermaid", "dot"]),
    default="svg",
    show_default=True,
    help="A picture, text for Markdown, or text for Graphviz.",
)
@click.option("--since", default="30d", show_default=True, help="Count what happened from then on.")
def command(rules: str | None, form: str, since: str) -> None:
    """Draw who is told what by RULES (default: ROUTER_RULES): source, rule, channel.

    Where there is a history, each source, rule and channel has its count of it.

    \b
    Example:
      router graph > graph.svg
      router graph --format mermaid --since 7d
    """
    from router.graph import dot, graph_of, mermaid, svg  # noqa: PLC0415 - not for `--help`

    settings = settings_now()
    moment = read_since(since)
    graph = graph_of(load_rules(settings, rules), _counts(settings, moment))
    click.echo({"svg": svg, "mermaid": mermaid, "dot": dot}[form](graph), nl=False)


def _counts(settings: Settings, since: float) -> Counts | None:
    from router.graph import Counts  # noqa: PLC0415 - not for `--help`

    ledger = open_history(settings)
    if ledger is None:
        return None
    found = ledger.history.spoken(since)
    ledger.close()
    return Counts(found.received, found.spoke, found.told)
