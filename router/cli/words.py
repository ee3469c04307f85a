"""A message on a terminal: Slack's marks drawn, a mail as its plain text, never a control sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from router.cli.paper import plain
from router.web.mrkdwn import spans
from router.web.show import captured_text

if TYPE_CHECKING:
    from router.message import Message
    from router.preview import Preview

_KINDS = {"html": "mail", "slack": "Slack", "markdown": "Markdown", "text": "text"}


def show_message(one: Preview, *, raw: bool) -> None:
    """Write one message with what is to be known of it; `raw` shows what would carry it."""
    message = one.message
    head = f"{_KINDS[message.format]}, {message.severity}, rule `{one.rule}`: {one.when}"
    click.echo(f"{click.style(one.channel, bold=True)}  {head}")
    if message.fault:
        words = "the built-in words" if message.rung == "built-in" else "a plain line"
        fault = f"  {words} would speak, the template failed: {message.fault}"
        click.echo(click.style(plain(fault), fg="red"))
    if raw and one.captured is not None:
        click.echo(plain(captured_text(one.captured)))
    else:
        click.echo(f"  {click.style(plain(message.title), bold=True)}\n")
        for line in _body(message).strip("\n").splitlines():
            click.echo(f"  {line}".rstrip())
        if message.link and message.format == "slack":
            click.echo(f"  [Open the case]  {plain(message.link)}")
    click.echo("")


def _body(message: Message) -> str:
    if message.format == "slack":
        return "".join(
            click.style(
                plain(span.words),
                bold="bold" in span.marks or None,
                italic="italic" in span.marks or None,
                strikethrough="strike" in span.marks or None,
                fg="cyan" if "code" in span.marks else None,
            )
            + (f" <{plain(span.url)}>" if span.url and span.url != span.words else "")
            for span in spans(message.body)
        )
    return plain(message.text if message.format == "html" else message.body)
