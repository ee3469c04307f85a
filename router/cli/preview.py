"""router preview"""

from __future__ import annotations

import time
import webbrowser
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import click

from router.cli.edge import (
    echo_json,
    fail,
    is_stored,
    load_rules,
    open_ledger_now,
    read_event,
    settings_now,
    source_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.event import Event
    from router.preview import Preview
    from router.rules import Ruleset
    from router.settings import Settings


@click.command()
@click.argument("event")
@click.option("--channel", metavar="NAME", help="Only the messages of this channel.")
@click.option(
    "--source", metavar="NAME", help="The source a file's event is from; otherwise the first."
)
@click.option("--rules", metavar="RULES", help="Other rules than ROUTER_RULES.")
@click.option("--raw", is_flag=True, help="Show the request or mail that would carry each.")
@click.option(
    "--html", "html", metavar="FILE", help="Write all of it to one page, as each channel draws it."
)
@click.option("--open", "opened", is_flag=True, help="Show that page in the browser.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON for scripts.")
def command(
    event: str,
    channel: str | None,
    source: str | None,
    rules: str | None,
    html: str | None,
    *,
    raw: bool,
    opened: bool,
    as_json: bool,
) -> None:
    """Show the messages that EVENT would make, as each channel would get them; nothing is sent.

    EVENT is a JSON file (- for stdin), or a stored event's id, by the rules on disk. What would
    wait, be collected or be dropped says so.

    \b
    Example:
      router preview event.json
      router preview 1841 --channel kyc-team --raw
      router preview event.json --html preview.html --open
    """
    if as_json and (html or opened):
        fail("write either JSON or a page, not both", 2)
    settings = settings_now()
    ruleset = load_rules(settings, rules)
    _known(channel, ruleset)
    posted = _stored(int(event), source, settings) if is_stored(event) else None
    if posted is None:
        posted = read_event(event, source_of(source, list(ruleset.sources)))
    every = _made(posted, ruleset, settings)
    made = [one for one in every if channel in (None, one.channel)]
    if as_json:
        echo_json([_plain(one) for one in made])
        return
    if html or opened:
        _write(made, posted, ruleset, rules or settings.rules, html, opened=opened)
        return
    from router.cli.words import show_message  # noqa: PLC0415 - not for `--help`

    if not every:
        click.echo("no rule speaks about this event, so nobody would be told")
        click.echo(f"`router explain {event}` says why")
    elif not made:
        others = ", ".join(dict.fromkeys(one.channel for one in every))
        click.echo(f"nothing would be told to `{channel}`, but to {others}")
        click.echo(f"`router explain {event}` says why")
    for one in made:
        show_message(one, raw=raw)


def _known(channel: str | None, ruleset: Ruleset) -> None:
    from router.problem import suggest  # noqa: PLC0415 - only for the error

    if channel is not None and channel not in ruleset.channels:
        fail(f"there is no channel `{channel}`; {suggest(channel, ruleset.channels)}", 2)


def _stored(number: int, source: str | None, settings: Settings) -> Event:
    from router.event import OWN  # noqa: PLC0415 - not for `--help`
    from router.view import stored_event  # noqa: PLC0415

    if source is not None:
        fail("a stored event has its source; --source is for a file", 2)
    ledger = open_ledger_now(settings)
    row = ledger.event(number)
    ledger.close()
    if row is None:
        fail(f"there is no event {number}; `router events` lists them")
    event = stored_event(row)
    if event is None:
        fail(f"event {number} was rejected, so no rule is asked about it: {row.rejected}")
    if event.source == OWN:
        fail(f"the router told event {number} about itself; `router explain {number}` shows it")
    return event


def _made(event: Event, ruleset: Ruleset, settings: Settings) -> Sequence[Preview]:
    from router.delivery import Gateway  # noqa: PLC0415 - not for `--help`
    from router.preview import preview  # noqa: PLC0415
    from router.render import Renderer  # noqa: PLC0415
    from router.route import RoutingTable  # noqa: PLC0415

    gateway = Gateway(
        ruleset.channels,
        outbound="capture",
        ca_bundle=None,
        redactor=ruleset.redactor(),
    )
    renderer = Renderer(ruleset.templates, base_url=settings.base_url)
    made = preview(event, RoutingTable(ruleset), renderer, gateway).messages
    gateway.close()
    return made


def _write(
    made: Sequence[Preview],
    event: Event,
    ruleset: Ruleset,
    rules: str,
    html: str | None,
    *,
    opened: bool,
) -> None:
    from router.web.draw import sheet  # noqa: PLC0415 - not for `--help`
    from router.web.show import pretty  # noqa: PLC0415

    body, _ = pretty(event.body)
    text = sheet(
        event=event,
        messages=made,
        rules=rules,
        ruleset=ruleset.hash,
        body=body,
        now=time.time(),
    )
    path = Path(html) if html is not None else _kept_file()
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
    click.echo(f"{len(made)} message{'s' * (len(made) != 1)} in {path}")
    if opened and not webbrowser.open(path.resolve().as_uri()):
        fail(f"no browser could be opened; open {path} yourself")


def _kept_file() -> Path:
    with NamedTemporaryFile(prefix="router-preview-", suffix=".html", delete=False) as made:
        return Path(made.name)


def _plain(one: Preview) -> dict[str, Any]:
    from router.view import message_view  # noqa: PLC0415 - not for `--help`

    told = {"rule": one.rule, "channel": one.channel, "when": one.when, "dropped": one.dropped}
    return {**told, **message_view(one.message), "captured": one.captured}
