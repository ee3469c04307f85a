"""The audit log as it is asked for: who did what, when; as JSON and as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get

from router.identity import DEEDS
from router.ledger import AuditFilters
from router.pools import PAGES
from router.problem import suggest
from router.view import deed_view
from router.web.draw import page
from router.web.faults import BadRequest
from router.web.query import page_of, read_cursor, read_limit, read_time
from router.web.show import query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.service import Service

KNOWN = frozenset({"who", "what", "about", "since", "until", "limit", "cursor"})
SHOWN = ("who", "what", "about", "since", "until")


@get("/api/audit")
async def list_deeds(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """Who did what, newest first."""
    service: Service = request.app.state.service
    filters = read_deed_filters(request.query_params, service.now())
    one_more = msgspec.structs.replace(filters, limit=filters.limit + 1)
    rows = await PAGES.run(service.ledger.people.deeds, one_more)
    return Response(page_of([deed_view(row) for row in rows], filters.limit))


@get("/audit")
async def show_deeds(request: Request[Any, Any, Any]) -> Response[str]:
    """The same as a page."""
    service: Service = request.app.state.service
    filters = read_deed_filters(request.query_params, service.now())
    one_more = msgspec.structs.replace(filters, limit=filters.limit + 1)
    rows = await PAGES.run(service.ledger.people.deeds, one_more)
    shown, older = rows[: filters.limit], rows[filters.limit :]
    given = {name: request.query_params.get(name, "") for name in SHOWN}
    drawn = page(
        "audit.html.j2",
        service,
        rows=shown,
        given=given,
        narrowed=any(given.values()),
        deeds=DEEDS,
        older=query("/audit", {**given, "cursor": shown[-1].id}) if older else None,
        newest=query("/audit", given),
        first=filters.before is None,
    )
    return Response(drawn, media_type="text/html")


HANDLERS = [list_deeds, show_deeds]


def read_deed_filters(given: Mapping[str, Any], now: float) -> AuditFilters:
    """The filters of the audit log in an address; raises BadRequest for one that makes no sense."""
    values = {name: str(value) for name, value in given.items() if str(value)}
    for name in values:
        if name not in KNOWN:
            raise BadRequest(f"there is no filter `{name}`; {suggest(name, KNOWN)}")
    what = values.get("what")
    if what is not None and what not in DEEDS:
        raise BadRequest(f"`{what}` is nothing that is done here; {suggest(what, DEEDS)}")
    return AuditFilters(
        who=values.get("who"),
        what=what,
        about=values.get("about"),
        since=read_time(values, "since", now),
        until=read_time(values, "until", now),
        before=read_cursor(values),
        limit=read_limit(values),
    )
