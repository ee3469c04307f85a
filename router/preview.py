"""Preview: the messages an event would make, as each channel would get them; nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from router.message import Delivery, Message

if TYPE_CHECKING:
    from router.delivery import Gateway
    from router.event import Event
    from router.render import Renderer
    from router.route import Decision, RoutingTable


class Preview(msgspec.Struct, frozen=True):
    """One message, and the request or mail that would carry it."""

    rule: str
    channel: str
    message: Message
    captured: dict[str, Any] | None


class Previewed(msgspec.Struct, frozen=True):
    """Every rule's decision for an event, and the messages of those that spoke."""

    decisions: tuple[Decision, ...]
    messages: tuple[Preview, ...]


def preview(event: Event, table: RoutingTable, renderer: Renderer, capture: Gateway) -> Previewed:
    """Route and render an event; `capture` is a gateway in capture mode over the same channels."""
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
            format=capture.format_of(planned.channel),
        )
        delivery = Delivery(
            id=0, key="preview", event=event, rule=rule.name, channel=planned.channel, attempt=1
        )
        captured = capture.send(delivery, message).captured
        messages.append(Preview(rule.name, planned.channel, message, captured))
    return Previewed(table.explain(event), tuple(messages))
