"""The API: JSON for scripts, with errors as problem details."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get, post

from router.delivery import Gateway
from router.event import Event, Undecodable, decode
from router.holds import with_reasons
from router.ledger import LedgerUnavailable
from router.pools import PAGES
from router.preview import preview
from router.view import (
    decision_view,
    delivery_view,
    event_view,
    explain,
    explain_list,
    message_view,
)
from router.web.faults import BadRequest, Conflict, NotThere
from router.web.identity import VIEWER, audit, request_identity, service_of
from router.web.query import page_of, read_filters, read_id, read_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from router.ledger import DeliveryRow
    from router.service import Service

Json = Response[dict[str, Any]]


@get("/api/events")
async def list_events(request: Request[Any, Any, Any]) -> Json:
    """Events, newest first, each with its decisions and deliveries.

    Where a page's decisions would be too many, it has those of the rules that matched or failed.
    """
    service = service_of(request)
    filters = read_filters(request.query_params, service.now())
    one_more = msgspec.structs.replace(filters, limit=filters.limit + 1)

    def find() -> list[dict[str, Any]]:
        rows = service.ledger.events(one_more)
        made = iter(_deliveries(service, [d for row in rows for d in row.deliveries]))
        decided = explain_list(rows, lambda hash_: service.rules.words(hash_).table)
        return [
            event_view(
                msgspec.structs.replace(row, deliveries=tuple(islice(made, len(row.deliveries)))),
                decisions,
            )
            for row, decisions in zip(rows, decided, strict=True)
        ]

    return Response(page_of(await PAGES.run(find), filters.limit))


@get("/api/events/{event_id:int}")
async def get_event(request: Request[Any, Any, Any]) -> Json:
    """One event: why each rule spoke or not, its deliveries, every attempt."""
    service = service_of(request)
    number = read_id(request, "event_id")
    row = await PAGES.run(service.ledger.event, number)
    if row is None:
        raise NotThere(f"there is no event {number}")
    made = await PAGES.run(_with_reasons, service, row.deliveries)
    row = msgspec.structs.replace(row, deliveries=tuple(made))
    words = await PAGES.run(service.rules.words, row.ruleset or "")
    return Response(event_view(row, explain(row, words.table)))


@get("/api/deliveries")
async def list_deliveries(request: Request[Any, Any, Any]) -> Json:
    """Deliveries, newest first."""
    service = service_of(request)
    filters = read_filters(request.query_params, service.now())
    one_more = msgspec.structs.replace(filters, limit=filters.limit + 1)
    rows = await PAGES.run(lambda: _deliveries(service, service.ledger.deliveries(one_more)))
    return Response(page_of([delivery_view(row) for row in rows], filters.limit))


@get("/api/deliveries/{delivery_id:int}")
async def get_delivery(request: Request[Any, Any, Any]) -> Json:
    """One delivery with its words and every attempt."""
    service = service_of(request)
    number = read_id(request, "delivery_id")
    row = await PAGES.run(service.ledger.delivery, number)
    if row is None:
        raise NotThere(f"there is no delivery {number}")
    (told,) = await PAGES.run(_with_reasons, service, [row])
    return Response(delivery_view(told))


def _deliveries(service: Service, rows: Sequence[DeliveryRow]) -> list[DeliveryRow]:
    """Deliveries of a list, with every attempt and why each waits."""
    return _with_reasons(service, service.ledger.with_attempts(rows))


def _with_reasons(service: Service, rows: Iterable[DeliveryRow]) -> list[DeliveryRow]:
    channels = service.rules.current.ruleset.channels
    return with_reasons(rows, channels, service.ledger.desk.lanes(), service.now())


@post("/api/deliveries/{delivery_id:int}/resend", status_code=202)
async def resend(request: Request[Any, Any, Any]) -> Json:
    """Send a delivery again, with the stored words, or with fresh ones (`{"fresh": true}`)."""
    service = service_of(request)
    number = read_id(request, "delivery_id")
    wanted = read_object(await request.body())
    fresh = wanted.get("fresh", False)
    if not isinstance(fresh, bool):
        raise BadRequest("`fresh` is true or false")
    under = service.rules.current.ruleset.hash if fresh else None
    answers = await PAGES.run(service.ledger.resend, [number], fresh_under=under)
    service.worker.wake()
    answer = answers[0]
    if answer.new is None:
        if "there is no" in answer.reason:
            raise NotThere(answer.reason)
        raise Conflict(f"delivery {number} is not sent again: {answer.reason}")
    await audit(
        request,
        "resend",
        f"delivery {number}",
        f"as {answer.new}{', fresh words' if fresh else ''}",
    )
    return Response({"delivery": answer.new, "resend_of": number}, status_code=202)


@post("/api/deliveries/{delivery_id:int}/cancel", status_code=200)
async def cancel(request: Request[Any, Any, Any]) -> Json:
    """Cancel a delivery that waits; it is not sent, and no fallback is told."""
    service = service_of(request)
    number = read_id(request, "delivery_id")
    author = request_identity(request).name
    (answer,) = await PAGES.run(service.ledger.cancel, [number], author=author)
    if not answer.done:
        if "there is no" in answer.reason:
            raise NotThere(answer.reason)
        raise Conflict(f"delivery {number} is not cancelled: {answer.reason}")
    service.worker.wake()
    await audit(request, "cancel", f"delivery {number}")
    return Response({"delivery": number, "state": "cancelled", "reason": answer.reason})


@post("/api/reload", status_code=200)
async def reload(request: Request[Any, Any, Any]) -> Json:
    """Read the rules again: 200 if they are in force, 422 with every problem if they are broken,
    503 if they are well and the database does not take them now: then they are tried again."""
    service = service_of(request)
    loaded = await service.reload()
    if loaded.outcome == "unwritten":
        raise LedgerUnavailable(
            f"the rules on disk are well, but cannot be written down now: {loaded.fault};"
            " they are tried again"
        )
    hash_ = service.rules.current.ruleset.hash
    if loaded.is_in_force:
        await audit(request, "reload", f"ruleset {hash_}", loaded.outcome)
        return Response({"outcome": loaded.outcome, "ruleset": hash_})
    problems = [
        {
            "file": problem.position.file,
            "line": problem.position.line,
            "column": problem.position.column,
            "severity": problem.severity,
            "text": problem.text,
            "notes": list(problem.notes),
        }
        for problem in loaded.problems
    ]
    body = {
        "type": "about:blank",
        "title": "the rules on disk are broken",
        "status": 422,
        "detail": loaded.report(service.settings.rules),
        "ruleset": hash_,
        "problems": problems,
    }
    return Response(body, status_code=422, media_type="application/problem+json")


@post("/api/preview", status_code=200, opt=VIEWER)
async def make_preview(request: Request[Any, Any, Any]) -> Json:
    """What the rules in force would say about the event in the body; nothing is sent or stored."""
    service = service_of(request)
    body = await request.body()
    force = service.rules.current
    source = request.query_params.get("source") or next(iter(force.ruleset.sources), "preview")
    try:
        event = Event(0, source, service.now(), body, decode(body))
    except Undecodable as fault:
        raise BadRequest(str(fault)) from None

    def work() -> dict[str, Any]:
        capture = Gateway(
            force.ruleset.channels,
            outbound="capture",
            ca_bundle=None,
            redactor=service.redactor,
        )
        try:
            made = preview(event, force.table, force.renderer, capture)
        finally:
            capture.close()
        return {
            "decisions": [decision_view(decision) for decision in made.decisions],
            "messages": [
                {
                    "rule": one.rule,
                    "channel": one.channel,
                    **message_view(one.message),
                    "captured": one.captured,
                }
                for one in made.messages
            ],
        }

    return Response(await PAGES.run(work))


HANDLERS = [
    list_events,
    get_event,
    list_deliveries,
    get_delivery,
    resend,
    cancel,
    reload,
    make_preview,
]
