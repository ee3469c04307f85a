"""Slack: a Block Kit message through a bot or an incoming webhook.

The wire and the addresses are apprise's; what is said, and how, is ours: a header, sections, a
button to the case, a line with the rule's name, the colour, and a text for phone banners. A bot
keeps one thread per case.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from apprise.plugins.slack import NotifySlack

from router.delivery.classify import Told
from router.delivery.plugins import ASSET, quiet
from router.delivery.senders import ChannelError, option
from router.message import Format

if TYPE_CHECKING:
    from router.delivery.wire import Recorder
    from router.message import Delivery, Message
    from router.rules import Channel

HEADER = 150
SECTION = 3000
BLOCKS = 45
PASSING = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "message_limit_exceeded",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
        "rollup_error",
    }
)
PLACEHOLDER_TOKEN = "xoxb-0000000000-captured"  # noqa: S105 - no secret: what stands in for one
PLACEHOLDER_HOOK = "https://hooks.slack.com/services/T00000000/B00000000/captured"


class _Plugin(NotifySlack):  # type: ignore[misc]
    """apprise's Slack, told what to post."""

    def post(self, url: str, payload: dict[str, Any]) -> bool:
        return self._send(url, payload) is not False


class SlackSender:
    """A Slack channel: a bot with `token` and `to`, or an incoming `webhook`."""

    format: Format = "slack"

    def __init__(self, channel: Channel, *, capture: bool) -> None:
        self.keeps_threads = "webhook" not in channel.options
        if self.keeps_threads:
            token = option(channel, "token", PLACEHOLDER_TOKEN if capture else None)
            self._to = option(channel, "to")
            if re.search(r"[\s,;]", self._to):
                raise ChannelError(f"channel `{channel.name}`: `to` is not one channel or user")
            self._plugin = _plugin(channel, access_token=token, targets=[self._to])
            self._url = self._plugin.api_url.format("chat.postMessage")
        else:
            self._url = option(channel, "webhook", PLACEHOLDER_HOOK if capture else None)
            if not self._url.startswith(("https://", "http://")):
                raise ChannelError(f"channel `{channel.name}`: `webhook` is no web address")
            parts = {"token_a": "T0", "token_b": "B0", "token_c": "x"}
            self._plugin = _plugin(channel, **parts)

    def send(self, delivery: Delivery, message: Message, recorder: Recorder) -> Told:
        payload = build(delivery, message)
        if not self.keeps_threads:
            recorder.capture_answer = b"ok"
            self._plugin.post(self._url, payload)
            exchange = recorder.exchanges[-1]
            if exchange.status == 200 and exchange.answer.strip() == b"ok":
                return Told(delivered=True)
            return Told(delivered=False)
        payload["channel"] = self._to
        if delivery.thread is not None:
            payload["thread_ts"] = delivery.thread
        self._plugin.post(self._url, payload)
        return _bot_answer(recorder, delivery)


def build(delivery: Delivery, message: Message) -> dict[str, Any]:
    """What is posted, but for the channel."""
    blocks: list[dict[str, Any]] = [_section(part) for part in split(message.body)]
    if message.link is not None:
        blocks.append({"type": "actions", "elements": [_button(message.link)]})
    blocks.append(_context(delivery, message))
    title = message.title or "Message"
    return {
        "text": _escape(title),
        "blocks": [{"type": "header", "text": _plain(_cut(title, HEADER))}],
        "attachments": [
            {"color": message.colour, "fallback": _escape(title), "blocks": blocks},
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def split(body: str) -> list[str]:
    """The body in parts that a section holds, cut at the ends of lines where it can be."""
    parts: list[str] = []
    rest = body.strip()
    while rest and len(parts) < BLOCKS:
        if len(rest) <= SECTION:
            parts.append(rest)
            break
        at = rest.rfind("\n", 1, SECTION)
        if at < 0:
            at = rest.rfind(" ", 1, SECTION)
        at = SECTION if at < 0 else at
        if (entity := rest.rfind("&", max(0, at - 5), at)) >= 0 and ";" not in rest[entity:at]:
            at = entity  # `&amp;` is not cut in two
        parts.append(rest[:at].rstrip())
        rest = rest[at:].strip("\n")
    return parts


def _bot_answer(recorder: Recorder, delivery: Delivery) -> Told:
    exchange = recorder.exchanges[-1]
    try:
        answer = msgspec.json.decode(exchange.answer, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Told(delivered=False)
    if answer.get("ok") is True:
        ts = answer.get("ts")
        begun = str(ts) if ts and delivery.thread is None else None
        return Told(delivered=True, thread=begun)
    word = str(answer.get("error") or "")[:100] or None
    return Told(delivered=False, word=word, again=word in PASSING)


def _plugin(channel: Channel, **given: Any) -> _Plugin:
    try:
        with quiet():
            made = _Plugin(asset=ASSET, **given)
    except (TypeError, ValueError):
        raise ChannelError(
            f"channel `{channel.name}`: `token` is not a Slack token (it begins with xoxb-)"
        ) from None
    made.throttle = lambda *_, **__: None
    return made


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _button(link: str) -> dict[str, Any]:
    return {"type": "button", "text": _plain("Open the case"), "url": str(link)}


def _context(delivery: Delivery, message: Message) -> dict[str, Any]:
    text = _escape(message.because)
    if delivery.possible_repeat:
        text += " \u00b7 possible repeat"
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "\u2026"
