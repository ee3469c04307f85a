"""The pages: what happened, what became of it, and why."""

from __future__ import annotations

import asyncio
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.response import Redirect

from router.in_force import say
from router.view import explain, stored_event
from router.web.draw import STATIC, page
from router.web.faults import BadRequest, NotThere
from router.web.identity import ANYONE, audit
from router.web.query import read_filters
from router.web.show import address, by_interest, case_facts, notices, pretty

if TYPE_CHECKING:
    from router.ledger import DeliveryRow, EventRow
    from router.message import Message
    from router.service import Service

MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox;"
    # The frame is our own page's; nobody else may hold it.
    " frame-ancestors 'self'"
)
FILTERS = "q state channel rule trigger source case since until".split()
FEW = 3
"""So many deliveries of an event are shown opened; of more, only those that are not sent."""
_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}

Html = Response[str]


def page_handlers() -> list[Any]:
    """Everything that answers a browser."""
    return [activity, event, mail, resend, static]


@get("/")
async def activity(request: Request[Any, Any, Any]) -> Html:
    """The latest events, with what became of each."""
    service = _service(request)
    filters = read_filters(request.query_params, service.now())
    one_more = msgspec.structs.replace(filters, limit=filters.limit + 1)
    rows, told = await asyncio.to_thread(
        lambda: (service.ledger.events(one_more), notices(service))
    )
    shown, older = rows[: filters.limit], rows[filters.limit :]
    given = {name: request.query_params.get(name, "") for name in FILTERS}
    kept = {**given, "limit": request.query_params.get("limit", "")}
    ruleset = service.rules.current.ruleset
    drawn = page(
        "activity.html.j2",
        service,
        rows=shown,
        facts={row.id: case_facts(row) for row in shown},
        given=given,
        narrowed=any(given.values()),
        older=address(kept, cursor=shown[-1].id) if older else None,
        first=filters.before is None,
        channels=sorted(ruleset.channels),
        rules=[rule.name for rule in ruleset.rules],
        sources=sorted(ruleset.sources),
        base_url=service.settings.base_url,
        notices=told,
    )
    return _html(drawn)


@get("/events/{event_id:int}")
async def event(request: Request[Any, Any, Any]) -> Html:
    """One event: why each rule spoke or not, the messages, every attempt."""
    number = request.path_params["event_id"]
    said = request.query_params.get("said", "")
    return _html(await asyncio.to_thread(_event_page, _service(request), number, said))


@get("/events/{event_id:int}/deliveries/{delivery_id:int}/mail")
async def mail(request: Request[Any, Any, Any]) -> Html:
    """The HTML of a mail, to be shown in a frame: it may run nothing and load nothing."""
    service = _service(request)
    event_id, number = request.path_params["event_id"], request.path_params["delivery_id"]

    def find() -> Message | None:
        row = service.ledger.event(event_id)
        found = [one for one in row.deliveries if one.id == number] if row else []
        return _message(service, row, found[0]) if row and found else None

    message = await asyncio.to_thread(find)
    if message is None or message.format != "html":
        raise NotThere(f"event {event_id} has no mail of a delivery {number}")
    headers = {"content-security-policy": MAIL_POLICY}
    return Response(message.body, media_type="text/html", headers=headers)


@post("/deliveries/{delivery_id:int}/resend")
async def resend(request: Request[Any, Any, Any]) -> Redirect:
    """Send a delivery again, and go back to its event."""
    service = _service(request)
    number = request.path_params["delivery_id"]
    row = await asyncio.to_thread(service.ledger.delivery, number)
    if row is None:
        raise NotThere(f"there is no delivery {number}")
    form = await request.form()
    under = service.rules.current.ruleset.hash if form.get("fresh") else None
    answer = (await asyncio.to_thread(service.ledger.resend, [number], fresh_under=under))[0]
    if answer.new is None:
        raise BadRequest(f"delivery {number} is not sent again: {answer.reason}")
    service.worker.wake()
    new = answer.new
    await audit(
        request, "resend", f"delivery {number}", f"as {new}{', fresh words' if under else ''}"
    )
    return Redirect(f"/events/{row.event_id}?said={new}#d{new}", status_code=303)


@get("/static/{name:str}", opt=ANYONE)
async def static(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Style and script: they change with their address, so they may be kept for ever."""
    name = request.path_params["name"]
    if name not in STATIC:
        raise NotThere("there is no such file")
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(STATIC[name], media_type=_TYPES[PurePath(name).suffix], headers=headers)


def _event_page(service: Service, number: int, said: str) -> str:
    row = service.ledger.event(number)
    if row is None:
        raise NotThere(f"there is no event {number}; the list of events is at /")
    words = service.rules.words(row.ruleset or "")
    body, cut = pretty(row.body)
    deliveries = row.deliveries
    again = next((one for one in deliveries if one.resend_of and str(one.id) == said), None)
    few = len(deliveries) <= FEW
    return page(
        "event.html.j2",
        service,
        row=row,
        facts=case_facts(row),
        decisions=by_interest(explain(row, words.table)),
        explained_by=words.ruleset.hash,
        messages={one.id: _message(service, row, one) for one in deliveries},
        opened={one.id for one in deliveries if few or one is again or one.state != "sent"},
        again=again,
        body=body,
        cut=cut,
        notices=notices(service),
    )


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


def _html(drawn: str) -> Html:
    return Response(drawn, media_type="text/html")


def _service(request: Request[Any, Any, Any]) -> Service:
    service: Service = request.app.state.service
    return service
