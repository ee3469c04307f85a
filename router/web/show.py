"""How values are shown on a page: times, states, Slack's mark-up drawn as Slack draws it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from router.duration import show_duration

if TYPE_CHECKING:
    from router.ledger import DeliveryRow

LONGEST_BODY = 20_000
_SPAN = re.compile(
    r"<(?P<url>https?://[^|>\s]+)(?:\|(?P<label>[^>]*))?>|```(?P<block>.+?)```|`(?P<code>[^`\n]+)`"
    r"|(?<!\w)\*(?P<bold>[^*\n]+)\*(?!\w)|(?<!\w)_(?P<italic>[^_\n]+)_(?!\w)"
    r"|(?<!\w)~(?P<strike>[^~\n]+)~(?!\w)",
    re.S,
)
_EMOJI = {
    ":white_check_mark:": "\u2705",
    ":no_entry:": "\u26d4",
    ":arrow_right:": "\u27a1\ufe0f",
    ":speech_balloon:": "\U0001f4ac",
    ":page_facing_up:": "\U0001f4c4",
    ":paperclip:": "\U0001f4ce",
    ":checkered_flag:": "\U0001f3c1",
    ":open_file_folder:": "\U0001f4c2",
    ":pencil2:": "\u270f\ufe0f",
}


class Span(msgspec.Struct, frozen=True):
    """A piece of a Slack text: how it is drawn, its words, and where a link leads."""

    kind: str
    text: str
    url: str = ""


def spans(text: str) -> list[Span]:
    """mrkdwn as pieces of text; the template escapes each."""
    for name, sign in _EMOJI.items():
        text = text.replace(name, sign)
    found: list[Span] = []
    at = 0
    for match in _SPAN.finditer(text):
        if match.start() > at:
            found.append(Span("text", _unescape(text[at : match.start()])))
        kind = str(match.lastgroup)
        if match["url"]:
            label = match["label"] or match["url"]
            found.append(Span("link", _unescape(label), _unescape(match["url"])))
        else:
            found.append(Span(kind, _unescape(match[kind])))
        at = match.end()
    found.append(Span("text", _unescape(text[at:])))
    return found


def exact(at: float) -> str:
    """Epoch seconds as people read them, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def machine(at: float) -> str:
    """Epoch seconds for a `datetime` attribute."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def ago(at: float, now: float) -> str:
    """How long ago, or how long until."""
    if at > now:
        return f"in {show_duration(at - now)}"
    return "just now" if now - at < 2 else f"{show_duration(now - at)} ago"


def state_word(row: DeliveryRow, now: float, *, paused: bool = False) -> str:
    """The state of a delivery in one or two words."""
    if row.state != "pending":
        return row.state
    if row.in_hand and row.due_at > now:
        return "sending"
    if paused:
        return "paused"
    return "waiting"


def why(row: DeliveryRow, now: float, *, paused: bool = False) -> str:
    """Why a delivery is where it is, in a sentence; nothing if its state says all."""
    if row.state != "pending":
        return row.reason or ""
    if paused:
        return "its channel is paused in the rules"
    if row.due_at > now and not row.in_hand:
        return f"next attempt {ago(row.due_at, now)}: {row.reason}"
    if row.in_hand:
        return row.reason or ""
    return row.reason or "an earlier message of the same case comes first, or the channel is busy"


def took(row: DeliveryRow) -> str:
    """How long a delivery took, once it ended."""
    return "" if row.ended_at is None else show_duration(max(0.0, row.ended_at - row.created_at))


def pretty(body: bytes) -> tuple[str, bool]:
    """A posted body for reading, and whether its end is left out."""
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
    return text[:LONGEST_BODY], len(text) > LONGEST_BODY


def captured_text(captured: dict[str, Any]) -> str:
    """The request or mail that was kept instead of sent, as it would have gone out."""
    if captured.get("kind") == "smtp":
        to = ", ".join(captured.get("to") or ())
        head = f"MAIL FROM:<{captured.get('from')}>  RCPT TO:<{to}>"
        return f"{head}\n\n{captured.get('mime', '')}"
    headers = "\n".join(f"{name}: {value}" for name, value in captured.get("headers", {}).items())
    body, _ = pretty(str(captured.get("body", "")).encode())
    return f"{captured.get('method')} {captured.get('url')}\n{headers}\n\n{body}"


def _unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
