"""Delivery: message -> far end, and what the far end answered. The only apprise."""

from router.delivery.gateway import SEND_DEADLINE, Gateway, inspect, unusable
from router.delivery.senders import ChannelError

__all__ = ["SEND_DEADLINE", "ChannelError", "Gateway", "inspect", "unusable"]
