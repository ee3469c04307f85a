"""The page of one event: why each rule spoke or not, what became of it, the words as sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get

from router.delivery import ChannelError, Gateway, formats
from router.event import OWN
from router.in_force import say
from router.message import Delivery
from router.pools import PAGES
from router.rulebook import as_test
from router.view import explain, stored_event
from router.web.draw import fragment, page
from router.web.faults import NotThere
from router.web.query import read_id
from router.web.show import by_interest, captured_text, case_facts, notices, paused, pretty

if TYPE_CHECKING:
    from router.ledger import DeliveryRow, EventRow
    from router.message import Message
    from router.service import Service

MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox;"
    # The frame is our own page's; nobody else may hold it.
    " frame-ancestors 'self'"
)
FEW = 3
"""So many deliveries of an event are shown opened; of more, only those that are not sent."""
AT_ONCE = 100
"""So many rules, and so many deliveries, are shown before one asks for all."""
OF_CASE = 20
LISTED = 50

Html = Response[str]
_ONE = "/events/{event_id:int}/deliveries/{delivery_id:int}"


@get("/events/{event_id:int}")
async def event(request: Request[Any, Any, Any]) -> Html:
    """One event: why each rule spoke or not, the messages, every attempt."""
    service: Service = request.app.state.service
    number, query = read_id(request, "event_id"), request.query_params

    def work() -> str:
        row = service.ledger.event(number)
        if row is None:
            raise NotThere(f"there is no event {number}; the list of events is at /")
        shown = _shown(service, row, every=query.get("all", "") != "")
        told = _told(row, query.get("said", ""))
        return page("event.html.j2", service, **shown, **told)

    return Response(await PAGES.run(work), media_type="text/html")


@get(f"{_ONE}/mail")
async def mail(request: Request[Any, Any, Any]) -> Html:
    """The HTML of a mail, to be shown in a frame: it may run nothing and load nothing."""
    service: Service = request.app.state.service
    which = read_id(request, "event_id"), read_id(request, "delivery_id")

    def find() -> str:
        row, delivery = _find(service, *which)
        message = _message(service, row, delivery)
        if message is None or message.format != "html":
            raise NotThere(f"event {row.id} has no mail of a delivery {delivery.id}")
        return message.body

    headers = {"content-security-policy": MAIL_POLICY}
    return Response(await PAGES.run(find), media_type="text/html", headers=headers)


@get(f"{_ONE}/raw")
async def raw(request: Request[Any, Any, Any]) -> Html:
    """The request or the mail that carries a message, byte for byte but for secrets."""
    service: Service = request.app.state.service
    which = read_id(request, "event_id"), read_id(request, "delivery_id")
    text = await PAGES.run(lambda: _raw(service, *_find(service, *which)))
    if "hx-request" in request.headers:
        return Response(fragment("_raw.html.j2", text=text), media_type="text/html")
    return Response(text, media_type="text/plain")


@get("/events/{event_id:int}/test")
async def as_a_test(request: Request[Any, Any, Any]) -> Html:
    """A test for `tests:` in the rules, that the rules in force pass: what they say about it."""
    service: Service = request.app.state.service
    number = read_id(request, "event_id")

    def work() -> str:
        row = service.ledger.event(number)
        event = None if row is None else stored_event(row)
        if event is None or event.source == OWN:
            raise NotThere(f"event {number} is none that rules were asked about")
        ruleset = service.rules.current.ruleset
        name = f"event {number}: {event.trigger}"
        return as_test(event, name, ruleset, formats(ruleset.channels)).text

    text = await PAGES.run(work)
    if "hx-request" in request.headers:
        return Response(fragment("_as_test.html.j2", text=text), media_type="text/html")
    return Response(text, media_type="text/plain")


def _shown(service: Service, row: EventRow, *, every: bool) -> dict[str, Any]:
    words = service.rules.words(row.ruleset or "")
    body, cut = pretty(row.body)
    decisions = by_interest(explain(row, words.table))
    told = row.deliveries if every else row.deliveries[:AT_ONCE]
    glance = service.ledger.glance
    carriers = {one.carried_by for one in told if one.carried_by is not None}
    case = glance.of_case(row, OF_CASE) if row.case_ref else None
    return {
        "row": row,
        "told": told,
        "facts": case_facts(row),
        "decisions": decisions if every else decisions[:AT_ONCE],
        "number": len(decisions),
        "spoke": sum(decision.matched for decision in decisions),
        "failed": sum(decision.outcome == "error" for decision in decisions),
        "explained_by": words.ruleset.hash,
        "messages": {one.id: _message(service, row, one) for one in told},
        "members": glance.members(sorted(carriers & {one.id for one in told}), LISTED),
        "carriers": {one.id: one for one in glance.among(sorted(carriers))},
        "case": case.rows if case else (),
        "more_of_case": bool(case and case.further),
        "case_facts": {one.id: case_facts(one) for one in case.rows} if case else {},
        "body": body,
        "cut": cut,
        "notices": notices(service),
        "paused": paused(service),
    }


def _told(row: EventRow, said: str) -> dict[str, Any]:
    """What was just done, as far as the ledger bears it out: an address can be forged."""
    known = {str(one.id): one for one in row.deliveries}
    one = known.get(said)
    few = len(row.deliveries) <= FEW
    return {
        "again": one if one and one.resend_of else None,
        "cancelled": one if one and one.state == "cancelled" else None,
        "opened": {d.id for d in row.deliveries if few or d is one or d.state != "sent"},
    }


def _find(service: Service, event_id: int, number: int) -> tuple[EventRow, DeliveryRow]:
    row = service.ledger.event(event_id)
    found = [one for one in row.deliveries if one.id == number] if row else []
    if row is None or not found:
        raise NotThere(f"event {event_id} has no delivery {number}")
    return row, found[0]


def _message(service: Service, row: EventRow, delivery: DeliveryRow) -> Message | None:
    """The stored words of a delivery, or those it would get now if it waits for its first
    attempt; None where neither can be told."""
    event = stored_event(row)
    if delivery.message is not None or delivery.state != "pending" or event is None:
        return delivery.message
    force = service.rules.current
    words = service.rules.words(delivery.ruleset)
    if words.ruleset.rule(delivery.rule) is None or delivery.channel not in force.ruleset.channels:
        return None
    return say(force, words, event, delivery.rule, delivery.channel)


def _raw(service: Service, row: EventRow, delivery: DeliveryRow) -> str:
    """What was captured, or else what the channel as it is now makes of the words."""
    captured = delivery.attempts[-1].captured if delivery.attempts else None
    if captured is not None:
        return captured_text(captured)
    message, event = _message(service, row, delivery), stored_event(row)
    channel = service.rules.current.ruleset.channels.get(delivery.channel)
    if message is None or event is None or channel is None:
        raise NotThere(f"nothing is known of what carries delivery {delivery.id}")
    members = service.ledger.glance.members([delivery.carried_by or 0], LISTED)
    rows = (service.ledger.event(one.event) for one in members[delivery.carried_by or 0])
    listed = [found for one in rows if one is not None and (found := stored_event(one))]
    try:
        capture = Gateway(
            {channel.name: channel}, outbound="capture", ca_bundle=None, redactor=service.redactor
        )
    except ChannelError as error:
        raise NotThere(f"the channel {channel.name} cannot be used: {error}") from None
    ready = Delivery(
        id=delivery.id,
        key=f"router-{delivery.id}",
        event=event,
        rule=delivery.rule,
        channel=channel.name,
        attempt=max(1, delivery.attempt),
        possible_repeat=delivery.unsure > 0,
        events=tuple(listed),
    )
    try:
        outcome = capture.send(ready, message)
    finally:
        capture.close()
    if outcome.captured is None:
        raise NotThere(f"the channel {channel.name} makes no message of it: {outcome.detail}")
    return captured_text(outcome.captured)
