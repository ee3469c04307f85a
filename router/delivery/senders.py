"""What every kind of channel gives: a format, and a way to send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from router.secret import Secret

if TYPE_CHECKING:
    from router.delivery.classify import Told
    from router.delivery.wire import Recorder
    from router.message import Delivery, Format, Message
    from router.rules import Channel


class ChannelError(ValueError):
    """A channel that cannot be used; the text says which key is wrong, and never a secret."""


class Sender(Protocol):
    """One channel, ready to send. Threads share it."""

    format: Format
    keeps_threads: bool

    def send(self, delivery: Delivery, message: Message, recorder: Recorder) -> Told:
        """Make the exchange within the recording, and say what the service itself answered."""


def option(channel: Channel, name: str, placeholder: str | None = None) -> str:
    """A channel's option as text.

    Where it is empty: the placeholder (given in capture mode), or else a ChannelError.
    """
    text = plain(channel.options.get(name)).strip()
    if text:
        return text
    if placeholder is not None:
        return placeholder
    raise ChannelError(f"channel `{channel.name}`: `{name}` is empty")


def plain(value: Any) -> str:
    """An option's text, secret or not; nothing is an empty text."""
    if isinstance(value, Secret):
        return value.reveal()
    return "" if value is None else str(value)
