"""Webhooks of our own making: signed JSON for anybody's server, and cards for Teams."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from router.delivery.classify import Told
from router.delivery.senders import ChannelError, option, plain
from router.event import masked
from router.message import Format

if TYPE_CHECKING:
    from router.delivery.wire import Recorder
    from router.event import Event
    from router.message import Delivery, Message
    from router.rules import Channel

PLACEHOLDER = "https://captured.invalid/hook"
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FRAMES = frozenset({"content-length", "transfer-encoding", "connection"})
"""Headers that say where a request ends: not for a rules file to set."""


class WebhookSender:
    """A JSON POST of event, rule and message, signed after Standard Webhooks."""

    format: Format = "text"
    keeps_threads = False

    def __init__(self, channel: Channel, *, capture: bool) -> None:
        self._url = _web_address(channel, "url", capture=capture)
        self._hide = channel.hide
        given = channel.options.get("headers") or {}
        self._headers = {str(name): plain(value) for name, value in given.items()}
        for name, value in self._headers.items():
            if not _HEADER.fullmatch(name) or name.lower() in _FRAMES:
                raise ChannelError(f"channel `{channel.name}`: `{name}` cannot be set as a header")
            if not f"{name}{value}".isascii() or any(ord(c) < 32 for c in name + value):
                raise ChannelError(f"channel `{channel.name}`: header `{name}` is not plain text")
        secret = plain(channel.options.get("secret"))
        self._key = signing_key(channel, secret) if secret else None
        if "secret" in channel.options and not secret and not capture:
            option(channel, "secret")

    def send(self, delivery: Delivery, message: Message, recorder: Recorder) -> Told:
        body = msgspec.json.encode(payload(delivery, message, self._hide))
        moment = str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "user-agent": "atfinity-router",
            "webhook-id": delivery.key,
            "webhook-timestamp": moment,
            **self._headers,
        }
        if self._key is not None:
            signed = f"{delivery.key}.{moment}.".encode() + body
            digest = hmac.new(self._key, signed, hashlib.sha256).digest()
            headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        recorder.wire.send("POST", self._url, body, headers)
        return Told(delivered=True)


class TeamsSender:
    """An Adaptive Card to a Teams workflow."""

    format: Format = "markdown"
    keeps_threads = False

    def __init__(self, channel: Channel, *, capture: bool) -> None:
        self._url = _web_address(channel, "webhook", capture=capture)

    def send(self, delivery: Delivery, message: Message, recorder: Recorder) -> Told:
        content = msgspec.json.encode(card(delivery, message))
        recorder.wire.send("POST", self._url, content, {"content-type": "application/json"})
        return Told(delivered=True)


def payload(delivery: Delivery, message: Message, hide: frozenset[str]) -> dict[str, Any]:
    """What a webhook receives; an event's body stands in it as it was posted, but for what to hide.

    A digest has `events`, all that it lists; `event` is the last of them.
    """
    event = _event(delivery.event, hide)
    told: dict[str, Any] = {
        "type": delivery.event.trigger,
        "timestamp": event["received_at"],
        "event": event,
        "rule": {"name": delivery.rule, "severity": message.severity},
        "channel": delivery.channel,
        "message": {
            "title": message.title,
            "body": message.body,
            "format": message.format,
            "link": message.link,
        },
        "possible_repeat": delivery.possible_repeat,
    }
    if delivery.events:
        told["events"] = [_event(one, hide) for one in delivery.events]
    return told


def _event(event: Event, hide: frozenset[str]) -> dict[str, Any]:
    fields = masked(event.fields, hide)
    posted = msgspec.Raw(event.body.removeprefix(b"\xef\xbb\xbf"))
    moment = datetime.fromtimestamp(event.received_at, UTC).isoformat(timespec="milliseconds")
    return {
        "id": event.id,
        "received_at": moment,
        "source": event.source,
        "trigger": event.trigger,
        "case_id": fields.get("case_id"),
        "body": posted if fields is event.fields else fields,
    }


def card(delivery: Delivery, message: Message) -> dict[str, Any]:
    """A Teams message: title, words, the reason, and a button to the case."""
    style = {"success": "good", "warning": "warning", "failure": "attention"}
    # Built-in words say why themselves.
    small = [message.because] if message.because not in message.text else []
    small += ["Possible repeat."] if delivery.possible_repeat else []
    content: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {
                "type": "TextBlock",
                "text": message.title,
                "weight": "bolder",
                "size": "medium",
                "wrap": True,
                "color": style.get(message.severity, "accent"),
            },
            {"type": "TextBlock", "text": message.body, "wrap": True},
        ],
    }
    if small:
        told = {"type": "TextBlock", "text": " ".join(small), "size": "small", "wrap": True}
        content["body"].append({**told, "isSubtle": True})
    if message.link is not None:
        link = {"type": "Action.OpenUrl", "title": "Open the case", "url": str(message.link)}
        content["actions"] = [link]
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": content}]}


def signing_key(channel: Channel, secret: str) -> bytes:
    """The key a secret stands for: base64 after `whsec_`, or else the text itself."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ChannelError(
            f"channel `{channel.name}`: `secret` begins with whsec_, but no base64 follows"
        ) from None


def _web_address(channel: Channel, name: str, *, capture: bool) -> str:
    url = option(channel, name, PLACEHOLDER if capture else None)
    if not url.startswith(("http://", "https://")) or any(c.isspace() for c in url) or _lame(url):
        raise ChannelError(f"channel `{channel.name}`: `{name}` is no web address (https://...)")
    return url


def _lame(url: str) -> bool:
    """Whether an address leads nowhere: no host, or a port that is none."""
    try:
        parts = urlsplit(url)
        return not parts.hostname or parts.port == 0
    except ValueError:
        return True
