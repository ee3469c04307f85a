"""Preview: the messages an event would make, as each channel would get them; nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from router.message import Delivery, Message
from router.render import Occasion
from router.view import planned_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.delivery import Gateway
    from router.event import Event
    from router.message import Format
    from router.render import Renderer
    from router.route import Decision, RoutingTable
    from router.rules import Ruleset
    from router.timing import Planned


class Preview(msgspec.Struct, frozen=True):
    """One message, and the request or mail that would carry it.

    `when` says in words when it would be said, and what may keep it from being said; `dropped`
    is true if it would not be said at all.
    """

    rule: str
    channel: str
    message: Message
    captured: dict[str, Any] | None
    when: str
    dropped: bool = False


class Previewed(msgspec.Struct, frozen=True):
    """Every rule's decision for an event, and the messages of those that spoke."""

    decisions: tuple[Decision, ...]
    messages: tuple[Preview, ...]


def preview(event: Event, table: RoutingTable, renderer: Renderer, capture: Gateway) -> Previewed:
    """Route and render an event; `capture` is a gateway in capture mode over the same channels."""
    made = words_about(event, table, renderer, capture.format_of)
    messages = []
    for one in made.messages:
        delivery = Delivery(
            id=0, key="preview", event=event, rule=one.rule, channel=one.channel, attempt=1
        )
        captured = capture.send(delivery, one.message).captured
        messages.append(msgspec.structs.replace(one, captured=captured))
    return Previewed(made.decisions, tuple(messages))


def words_about(
    event: Event, table: RoutingTable, renderer: Renderer, format_of: Callable[[str], Format]
) -> Previewed:
    """The same without the requests and mails; `format_of` tells a channel's format."""
    ruleset = table.ruleset
    messages = []
    for planned in table.route(event).planned:
        rule = ruleset.rule(planned.rule)
        if rule is None:
            raise AssertionError(planned.rule)
        message = renderer.render(
            event=event,
            rule=rule,
            target=rule.target(planned.channel),
            channel=ruleset.channels[planned.channel],
            format=format_of(planned.channel),
            occasion=_occasion(event, planned),
        )
        when = _when(event, planned, ruleset)
        dropped = planned.terms is not None and planned.terms.drop
        messages.append(Preview(rule.name, planned.channel, message, None, when, dropped))
    return Previewed(table.explain(event), tuple(messages))


def _occasion(event: Event, planned: Planned) -> Occasion:
    """A digest is shown as it would be if nothing else came until it closes."""
    collected = planned.terms is not None and planned.terms.digest is not None
    return Occasion(events=(event,) if collected else (), step=planned.step)


def _when(event: Event, planned: Planned, ruleset: Ruleset) -> str:
    told = planned_in_words(planned, event.received_at) or "at once"
    if ruleset.channels[planned.channel].paused:
        told += ", once its channel is no longer paused in the rules"
    return told
