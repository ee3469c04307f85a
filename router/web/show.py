"""How values are shown on a page: times, states, reasons, bodies, addresses."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from router.duration import show_duration
from router.holds import BUSY, why_paused
from router.view import state_in_words, stored_event

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from router.ledger import DeliveryRow, EventRow
    from router.route import Decision
    from router.service import Service

LONGEST_BODY = 20_000
FAR = 1_000_000
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_TONES = {
    **dict.fromkeys(("sent", "matched", "works", "delivered", "in force", "passed"), "good"),
    **dict.fromkeys(("failed", "error", "rejected", "fails", "rests", "refused"), "bad"),
    **dict.fromkeys(
        (
            "waits",
            "paused",
            "muted",
            "retry",
            "ambiguous",
            "never matched",
            "being sent",
            "to be sent",
            "possible repeat",
        ),
        "busy",
    ),
}
_INTEREST = {"matched": 0, "error": 1, "no match": 2, "not reached": 3, "parked": 4}


def exact(at: float) -> str:
    """Epoch seconds as people read them, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def machine(at: float) -> str:
    """Epoch seconds for a `datetime` attribute."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def ago(at: float, now: float) -> str:
    """How long ago, or how long until, in one unit; router.js says it the same way."""
    seconds = abs(now - at)
    if seconds < 2:
        return "just now" if at <= now else "in a moment"
    size, unit = next(known for known in _UNITS if seconds >= 2 * known[0] or known[0] == 1)
    number = f"{seconds // size:.0f} {unit}"
    return f"in {number}" if at > now else f"{number} ago"


def grouped(number: int) -> str:
    """A number with its thousands apart."""
    return f"{number:,}"


def state_word(row: DeliveryRow, now: float, paused: Collection[str]) -> str:
    """The state of a delivery in a word or two; `paused` are the channels that are."""
    if row.state == "pending" and not row.in_hand and row.channel in paused:
        return "paused"
    return state_in_words(row, now)


def tone(word: str) -> str:
    """The colour of a state or verdict: `good`, `bad`, `busy` (not at its end) or `quiet`."""
    return _TONES.get(word, "quiet")


def why(row: DeliveryRow, now: float, paused: Mapping[str, str]) -> str:
    """Why a delivery is where it is, in a sentence; nothing if its state says all.

    `paused` says of each channel that is paused why.
    """
    if row.state != "pending" or row.in_hand:
        return row.reason or ""
    if row.channel in paused:
        return paused[row.channel]
    if row.reason or row.due_at > now:
        return row.reason or ""
    return BUSY


def waits_until(row: DeliveryRow, now: float, paused: Collection[str]) -> float | None:
    """When a delivery is tried next (epoch seconds), if that is known and lies ahead."""
    ahead = row.state == "pending" and row.due_at > now and not row.in_hand
    return row.due_at if ahead and row.channel not in paused else None


def took(row: DeliveryRow) -> str:
    """How long a delivery took, once it ended."""
    return "" if row.ended_at is None else show_duration(max(0.0, row.ended_at - row.created_at))


def tally(rows: Iterable[DeliveryRow]) -> str:
    """How many deliveries are in which state: `3 sent, 1 failed`."""
    counted = Counter(row.state for row in rows)
    return ", ".join(f"{number} {state}" for state, number in counted.items())


def ticks(text: str) -> list[tuple[bool, str]]:
    """A sentence in pieces: (whether it stood between backticks, the words)."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return [(False, text)]
    return [(bool(at % 2), piece) for at, piece in enumerate(pieces) if piece]


def case_facts(row: EventRow) -> dict[str, Any]:
    """What a page says of an event's case; `url` is an http(s) address or None."""
    found = stored_event(row)
    fields = found.fields if found is not None else {}
    url = fields.get("case_url")
    return {
        "name": fields.get("case_name"),
        "process": fields.get("process_key"),
        "before": fields.get("previous_state_key"),
        "after": fields.get("current_state_key"),
        "moved": "previous_state_key" in fields or "current_state_key" in fields,
        "url": url if isinstance(url, str) and url.startswith(("https://", "http://")) else None,
    }


def by_interest(decisions: Iterable[Decision]) -> list[Decision]:
    """Rules that spoke or failed first, then those that came near, then the others."""

    def rank(decision: Decision) -> tuple[int, int, int]:
        held = sum(check.holds for check in decision.checks)
        # What was not asked (another rule spoke) missed nothing, and came near to nothing.
        return _INTEREST[decision.outcome], decision.misses or FAR, -held

    return sorted(decisions, key=rank)


def pretty(body: bytes, most: int | None = LONGEST_BODY) -> tuple[str, bool]:
    """A posted body for reading, and whether its end is left out."""
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
    return text[:most], most is not None and len(text) > most


def captured_text(captured: Mapping[str, Any]) -> str:
    """The request or mail that was kept instead of sent, as it would have gone out."""
    if captured["kind"] == "smtp":
        to = ", ".join(captured["to"] or ())
        return f"MAIL FROM:<{captured['from']}>  RCPT TO:<{to}>\n\n{captured['mime']}"
    headers = "\n".join(f"{name}: {value}" for name, value in captured["headers"].items())
    body, _ = pretty(captured["body"].encode())
    return f"{captured['method']} {captured['url']}\n{headers}\n\n{body}"


def paused(service: Service) -> dict[str, str]:
    """The channels that are paused, and why in a sentence."""
    return why_paused(service.rules.current.ruleset.channels, service.ledger.desk.lanes())


def notices(service: Service) -> list[str]:
    """What holds messages up now: mutes, and channels that fail."""
    now = service.now()
    told = [
        f"The {mute.kind} {mute.name} is muted until {exact(mute.until)}: {mute.reason}"
        f" ({sum(mute.held.values())} held back)"
        for mute in service.ledger.desk.mutes()
    ]
    channels = service.rules.current.ruleset.channels
    for name, lane in sorted(service.ledger.desk.lanes().items()):
        if name in channels and lane.failing_since is not None and lane.rests_until > now:
            since, again = show_duration(now - lane.failing_since), ago(lane.rests_until, now)
            told.append(f"The channel {name} fails for {since}; tried again {again}. {lane.error}")
    return told


def query(path: str, given: Mapping[str, object]) -> str:
    """An address with what is given; empty ones left out."""
    kept = {name: value for name, value in given.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def address(given: Mapping[str, object], path: str = "/", **changed: object) -> str:
    """The address of a list with these filters, some of them changed; empty ones left out."""
    kept = {name: value for name, value in {**given, **changed}.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path
