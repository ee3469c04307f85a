"""router preview"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from router.cli.edge import echo_json, fail, load_rules, read_event, settings_now
from router.problem import suggest

if TYPE_CHECKING:
    from router.preview import Preview


@click.command()
@click.argument("event")
@click.option("--channel", default=None, help="Only the message of this channel.")
@click.option("--source", default=None, help="The source the event is from.")
@click.option("--rules", "rules", default=None, help="Other rules than ROUTER_RULES.")
@click.option("--raw", is_flag=True, help="Show the request or mail that would carry it.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON for scripts.")
def command(
    event: str,
    channel: str | None,
    source: str | None,
    rules: str | None,
    *,
    raw: bool,
    as_json: bool,
) -> None:
    """Show the messages that EVENT (a JSON file, - for stdin) would make; nothing is sent.

    \b
    Example:
      router preview event.json
      router preview event.json --channel kyc-team --raw
    """
    from router.delivery import Gateway  # noqa: PLC0415 - not for `--help`
    from router.preview import preview  # noqa: PLC0415
    from router.render import Renderer  # noqa: PLC0415
    from router.route import RoutingTable  # noqa: PLC0415

    settings = settings_now()
    ruleset = load_rules(settings, rules)
    if channel is not None and channel not in ruleset.channels:
        fail(f"there is no channel `{channel}`; {suggest(channel, ruleset.channels)}", 2)
    posted = read_event(event, source or next(iter(ruleset.sources), "file"))
    gateway = Gateway(
        ruleset.channels,
        outbound="capture",
        ca_bundle=None,
        redactor=ruleset.redactor(),
    )
    renderer = Renderer(ruleset.templates, base_url=settings.base_url)
    made = preview(posted, RoutingTable(ruleset), renderer, gateway).messages
    gateway.close()
    made = tuple(one for one in made if channel in (None, one.channel))
    if as_json:
        echo_json([_plain(one) for one in made])
        return
    if not made:
        click.echo("nothing would be said; `router explain` says why")
    for one in made:
        _show(one, raw=raw)


def _show(one: Preview, *, raw: bool) -> None:
    message = one.message
    head = f"{one.channel}  (rule {one.rule}, {message.format}, {message.severity})"
    click.echo(click.style(head, bold=True))
    if message.fault:
        click.echo(click.style(f"  the {message.rung} words speak: {message.fault}", fg="red"))
    if raw and one.captured is not None:
        mime = one.captured.get("mime")
        click.echo(mime or json.dumps(one.captured, indent=2, ensure_ascii=False))
    else:
        click.echo(f"  {message.title}\n")
        text = message.text if message.format == "html" else message.body
        click.echo("\n".join(f"  {line}" for line in text.splitlines()))
    click.echo("")


def _plain(one: Preview) -> dict[str, Any]:
    from router.view import message_view  # noqa: PLC0415 - not for `--help`

    told = {"rule": one.rule, "channel": one.channel, **message_view(one.message)}
    return {**told, "captured": one.captured}
