"""A message: the words, ready to send. A delivery: one message on its way to one channel.

An outcome: what an attempt at a delivery met.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from router.event import Event

Format: TypeAlias = Literal["html", "slack", "markdown", "text"]
Severity: TypeAlias = Literal["info", "success", "warning", "failure"]
Rung: TypeAlias = Literal["template", "built-in", "plain"]

SEVERITIES: tuple[Severity, ...] = ("info", "success", "warning", "failure")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The title and body made from a template.

    `title` is one line of plain text; `body` is in `format`; `text` says the body as plain text.
    `rung` says who spoke: the rule's template, the built-in one for the trigger, or the plain
    line; `fault` says why it was not the template. `colour` is `#rrggbb`. `link` opens the case
    (http or https only, else None). `because` tells the reader why they get this.
    """

    title: str
    body: str
    format: Format
    text: str
    severity: Severity
    colour: str
    link: str | None
    because: str
    rung: Rung
    fault: str | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way to one channel, as a far end needs to know it.

    `key` is the same for every attempt, so that a far end can tell a repeat. `attempt` counts
    from 1. `possible_repeat` is true when an earlier attempt may have arrived. `thread` is what
    the far end called the thread of this case on this channel, if it told. A digest has the
    `events` that it lists; `event` is the last of them.
    """

    id: int
    key: str
    event: Event
    rule: str
    channel: str
    attempt: int
    possible_repeat: bool = False
    thread: str | None = None
    events: tuple[Event, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt met.

    `delivered`; `retry`: the far end did not take it, and may later; `ambiguous`: sent, but the
    answer was lost or broke off; `failed`: it will never be taken. `status` is the HTTP status or
    SMTP code. `detail` is one sentence for an operator, free of secrets. `retry_after` is in
    seconds, as the far end asked. `elapsed` is in seconds. `thread` is the far end's name for the
    thread that this message began. `captured` is the request or MIME message that was not sent.
    `answer` is how the far end's answer begins, as it came but without secrets; nobody keeps it.
    """

    kind: Literal["delivered", "retry", "ambiguous", "failed"]
    detail: str
    status: int | None = None
    retry_after: float | None = None
    elapsed: float = 0.0
    thread: str | None = None
    captured: dict[str, Any] | None = None
    answer: str = ""
