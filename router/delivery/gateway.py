"""The gateway: a message and a channel -> what the far end answered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from router.delivery.classify import Told, judge
from router.delivery.email import EmailSender
from router.delivery.probe import PROBE, Probe, probe_all
from router.delivery.senders import ChannelError, Sender
from router.delivery.service import ServiceSender
from router.delivery.slack import SlackSender
from router.delivery.smtp import connections
from router.delivery.webhook import TeamsSender, WebhookSender
from router.delivery.wire import Exchange, Wire
from router.message import Format, Outcome
from router.rules import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.delivery.watchdog import Watchdog
    from router.message import Delivery, Message
    from router.secret import Redactor

SEND_DEADLINE = 30.0
"""Seconds a send may take in all; then it is cut off."""

BEGINNING = 400
"""Characters of an answer that are told."""

_SENDERS: dict[str, Any] = {
    "slack": SlackSender,
    "email": EmailSender,
    "teams": TeamsSender,
    "webhook": WebhookSender,
    "url": ServiceSender,
}


class Gateway:
    """All channels of a ruleset, ready to send. Threads share it."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        *,
        outbound: Literal["live", "capture"],
        ca_bundle: str | None,
        redactor: Redactor,
        deadline: float = SEND_DEADLINE,
        watchdog: Watchdog | None = None,
    ) -> None:
        """Make every channel ready; raises ChannelError for the first that cannot be used."""
        self._capture = outbound == "capture"
        self._redactor = redactor
        self._deadline = deadline
        try:
            self._wire = Wire(capture=self._capture, ca_bundle=ca_bundle, watchdog=watchdog)
        except OSError as error:
            raise ChannelError(f"ROUTER_CA_BUNDLE cannot be read: {error.strerror}") from None
        try:
            self._senders: dict[str, Sender] = {
                name: _sender(channel, capture=self._capture) for name, channel in channels.items()
            }
        except BaseException:
            self._wire.close()
            raise

    def format_of(self, channel: str) -> Format:
        """The format that a channel's messages are in."""
        return self._senders[channel].format

    def keeps_threads(self, channel: str) -> bool:
        """Whether the far end names a thread that later messages of the case can join."""
        return self._senders[channel].keeps_threads

    def send(self, delivery: Delivery, message: Message) -> Outcome:
        """Send one message and say what it met, within the deadline; in capture mode, keep what
        would have been sent."""
        began = self._wire.monotonic()
        with self._wire.recording(self._deadline) as recorder:
            try:
                told = self._senders[delivery.channel].send(delivery, message, recorder)
            except (AttributeError, LookupError, TypeError, ValueError):
                if not recorder.exchanges:
                    raise
                told = Told(delivered=False)  # a plugin that stumbled over the answer
        elapsed = self._wire.monotonic() - began
        text = ""
        for exchange in recorder.exchanges:
            # Before anything is cut from it: half a secret would no longer be known as one.
            text = self._redactor.scrub(exchange.answer.decode("utf-8", "replace"))
            exchange.answer = text.encode()
        captured = None
        if self._capture:
            captured = self._captured(recorder.exchanges)
            told = Told(delivered=True)
        judged = judge(recorder, told, time.time())
        detail = "captured, not sent" if self._capture else judged.detail
        return Outcome(
            kind=judged.kind,
            detail=self._redactor.scrub(detail),
            status=None if self._capture else judged.status,
            retry_after=judged.retry_after,
            elapsed=elapsed,
            thread=told.thread,
            captured=captured,
            answer="" if self._capture else text[:BEGINNING],
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._wire.close()
        connections.close()

    def _captured(self, exchanges: list[Exchange]) -> dict[str, Any] | None:
        if not exchanges:
            return None
        last = exchanges[-1]
        scrub = self._redactor.scrub
        if last.kind == "smtp":
            given = last.request
            return {
                "kind": "smtp",
                "host": given["host"],
                "port": given["port"],
                "from": given.get("from"),
                "to": given.get("to"),
                "mime": scrub(str(given.get("mime", ""))),
            }
        body = last.request["body"] or b""
        return {
            "kind": "http",
            "method": last.request["method"],
            "url": scrub(last.request["url"]),
            "headers": {name: scrub(value) for name, value in last.request["headers"].items()},
            "body": scrub(body.decode("utf-8", "replace")),
        }


def inspect(channel: Channel) -> list[str]:
    """What is wrong with a channel's options, in words; empty ones are not looked at here."""
    try:
        _sender(channel, capture=True)
    except ChannelError as error:
        return [str(error).removeprefix(f"channel `{channel.name}`: ")]
    return []


def formats(channels: Mapping[str, Channel]) -> dict[str, Format]:
    """The format that each channel's messages are in; the channels are sound."""
    return {name: _sender(channel, capture=True).format for name, channel in channels.items()}


def unusable(channels: Mapping[str, Channel]) -> list[str]:
    """Why channels could not really send, each in a sentence: an empty secret, most often."""
    faults = []
    for channel in channels.values():
        try:
            _sender(channel, capture=False)
        except ChannelError as error:
            faults.append(str(error))
    return faults


def probe(
    channels: Mapping[str, Channel],
    *,
    ca_bundle: str | None,
    redactor: Redactor,
    seconds: float = PROBE,
) -> list[Probe]:
    """How each channel's far end can be reached, without sending; see `router.delivery.probe`."""
    return probe_all(
        channels,
        lambda channel: _sender(channel, capture=False),
        ca_bundle=ca_bundle,
        redactor=redactor,
        seconds=seconds,
    )


def _sender(channel: Channel, *, capture: bool) -> Sender:
    made: Sender = _SENDERS[channel.service](channel, capture=capture)
    return made
