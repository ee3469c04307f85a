"""A test message: one real message to a channel, and what the far end answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.event import Event
from router.message import Delivery
from router.render import Renderer
from router.rules import Rule, Target

if TYPE_CHECKING:
    from router.delivery import Gateway
    from router.message import Outcome
    from router.rules import Channel

RULE = Rule(
    name="send-test",
    when=None,
    targets=(),
    title="A test from the router",
    body="This channel works. Somebody sent a test message; there is nothing to do.",
)


def send_test(gateway: Gateway, channel: Channel, *, base_url: str, now: float) -> Outcome:
    """Send a test message to a channel of the gateway; neither its rate nor a pause holds it up."""
    event = Event(0, "test", now, b"{}", {"trigger": "test"})
    message = Renderer({}, base_url=base_url).render(
        event=event,
        rule=RULE,
        target=Target(channel.name),
        channel=channel,
        format=gateway.format_of(channel.name),
    )
    key = f"send-test-{int(now * 1000)}"
    delivery = Delivery(id=0, key=key, event=event, rule=RULE.name, channel=channel.name, attempt=1)
    return gateway.send(delivery, message)
