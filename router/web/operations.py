"""What each address of the API takes and answers; the words come from its handler."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from router.identity import DEEDS
from router.ledger import STATES
from router.web.schemas import (
    NUMBER,
    TEXT,
    WHOLE,
    YES,
    Schema,
    many,
    maybe,
    of,
    one_of,
    page,
    said,
    shape,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Operation(NamedTuple):
    """`id` is its name in a client; `answers` are those that are no errors."""

    id: str
    answers: dict[int, Schema]
    query: Mapping[str, Schema] = MappingProxyType({})
    body: Schema | None = None
    needs_body: bool = False


_MOMENT = "a time like 2026-03-01T08:00Z, or a duration before now like 7d"
_LIMIT = said({**WHOLE, "minimum": 1, "default": 50}, "500 at most")
_PAGE: dict[str, Schema] = {
    "since": said(TEXT, _MOMENT),
    "until": said(TEXT, _MOMENT),
    "limit": _LIMIT,
    "cursor": said(TEXT, "the `next` of the page before"),
}
_FILTERS: dict[str, Schema] = {
    "state": one_of(*STATES),
    "channel": TEXT,
    "rule": TEXT,
    "case": said(TEXT, "what people call the case, or its id"),
    "trigger": TEXT,
    "source": TEXT,
    "q": said(TEXT, "words of the case's name, its number or its process"),
    **_PAGE,
}
_WAS = shape("the channel, and its pause", channel=TEXT, changed=YES, pause=maybe(of("Pause")))
_REASON = shape("why", reason=said({**TEXT, "minLength": 1}, "it stands on all that waits"))
_EVENT = {"type": "object", "properties": {"trigger": TEXT}, "required": ["trigger"]}

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/api/events"): Operation("list_events", {200: page("Event")}, _FILTERS),
    ("GET", "/api/events/{event_id}"): Operation("get_event", {200: of("Event")}),
    ("GET", "/api/deliveries"): Operation("list_deliveries", {200: page("Delivery")}, _FILTERS),
    ("GET", "/api/deliveries/{delivery_id}"): Operation("get_delivery", {200: of("Delivery")}),
    ("POST", "/api/deliveries/{delivery_id}/resend"): Operation(
        "resend_delivery",
        {202: shape("the new delivery", delivery=WHOLE, resend_of=WHOLE)},
        body=shape("how", "fresh", fresh=said(YES, "render the words again")),
    ),
    ("POST", "/api/deliveries/{delivery_id}/cancel"): Operation(
        "cancel_delivery",
        {200: shape("done", delivery=WHOLE, state=one_of("cancelled"), reason=TEXT)},
    ),
    ("GET", "/api/rules"): Operation(
        "list_rules",
        {
            200: page(
                "Rule",
                ruleset=TEXT,
                broken=maybe(TEXT, "what is wrong with the rules on disk"),
            )
        },
    ),
    ("POST", "/api/reload"): Operation(
        "reload_rules",
        {200: shape("they are in force", outcome=one_of("changed", "unchanged"), ruleset=TEXT)},
    ),
    ("POST", "/api/preview"): Operation(
        "preview", {200: of("Preview")}, {"source": TEXT}, body=_EVENT, needs_body=True
    ),
    ("GET", "/api/channels"): Operation("list_channels", {200: page("Channel")}),
    ("POST", "/api/channels/{name}/pause"): Operation(
        "pause_channel", {200: _WAS}, body=_REASON, needs_body=True
    ),
    ("POST", "/api/channels/{name}/resume"): Operation("resume_channel", {200: _WAS}),
    ("POST", "/api/channels/{name}/test"): Operation(
        "test_channel",
        {
            200: shape(
                "what the far end answered",
                "captured",
                channel=TEXT,
                outcome=one_of("delivered", "retry", "ambiguous", "failed"),
                status=maybe(WHOLE),
                detail=TEXT,
                elapsed=said(NUMBER, "seconds"),
                captured=of("Captured"),
            )
        },
    ),
    ("GET", "/api/timers"): Operation(
        "list_timers",
        {200: page("Timer", "the soonest first")},
        {"rule": TEXT, "channel": TEXT, "case": TEXT, "limit": _LIMIT, "cursor": _PAGE["cursor"]},
    ),
    ("POST", "/api/timers/cancel"): Operation(
        "cancel_timers",
        {200: shape("how many", "cancelled would_cancel", cancelled=WHOLE, would_cancel=WHOLE)},
        body=shape(
            "which: one of the names at least",
            "rule channel case dry_run",
            rule=TEXT,
            channel=TEXT,
            case=TEXT,
            dry_run=said(YES, "only count them"),
        ),
        needs_body=True,
    ),
    ("GET", "/api/status"): Operation("get_status", {200: of("Status")}),
    ("GET", "/api/mutes"): Operation(
        "list_mutes", {200: page("Mute")}, {"ended": said(TEXT, "1: also those that ended")}
    ),
    ("POST", "/api/mutes"): Operation(
        "begin_mute",
        {201: of("Mute")},
        body={
            "type": "object",
            "properties": {
                "name": said(TEXT, "of a rule, a channel, a source or a case"),
                "for": said(TEXT, "how long: 30m, 2h, 1d12h"),
                "reason": TEXT,
                "kind": said(TEXT, "where a name is of two things"),
                "author": TEXT,
            },
            "required": ["name", "for", "reason"],
        },
        needs_body=True,
    ),
    ("DELETE", "/api/mutes/{mute_id}"): Operation("end_mute", {200: of("Mute")}),
    ("GET", "/api/audit"): Operation(
        "list_deeds",
        {200: page("Deed")},
        {"who": TEXT, "what": one_of(*DEEDS), "about": TEXT, **_PAGE},
    ),
    ("GET", "/api/openapi.json"): Operation("describe", {200: {"type": "object"}}),
    ("GET", "/livez"): Operation("alive", {200: shape("alive", status=TEXT)}),
    ("GET", "/readyz"): Operation("ready", {200: shape("ready", status=TEXT)}),
}

TAKEN = shape("it is on disk, with all it causes", event=WHOLE, deliveries=WHOLE)
REFUSED = shape("why", "event", type=TEXT, title=TEXT, status=WHOLE, detail=TEXT, event=WHOLE)
BROKEN = shape(
    "the rules on disk are broken; those in force stay",
    type=TEXT,
    title=TEXT,
    status=WHOLE,
    detail=TEXT,
    ruleset=TEXT,
    problems=many(of("RuleProblem")),
)
NOT_READY = shape("why it is not ready", status=TEXT, reasons=many(TEXT))
