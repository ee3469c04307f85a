"""The first page: what happened and what became of it, live; and a sample to begin with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get, post
from litestar.response import Redirect

from router.pools import PAGES
from router.web import bar
from router.web.draw import fragment, page
from router.web.identity import audit
from router.web.query import FILTERS, read_filters
from router.web.show import address, case_facts, notices, paused

if TYPE_CHECKING:
    from router.ledger import Filters
    from router.service import Service

DAY = 86400.0
UNSETTLED = 5
"""So many failed deliveries that nobody took care of stand above all others."""
SAMPLE = Path(__file__).parent.parent / "samples" / "6_case_state_changed.json"


@get("/")
async def activity(request: Request[Any, Any, Any]) -> Response[str | None]:
    """The latest events, with what became of each.

    htmx asks for the live part alone, with the ETag of what it shows: as long as that is the
    same, nothing is drawn and the answer is 304.
    """
    service: Service = request.app.state.service
    query = request.query_params
    filters = read_filters(query, service.now())
    live = "hx-request" in request.headers
    known = request.headers.get("if-none-match", "") if live else ""

    def work() -> tuple[str, dict[str, Any]]:
        mark = f'"{service.ledger.glance.mark(filters)}"'
        return mark, {} if mark == known else _shown(service, filters, query, mark)

    mark, shown = await PAGES.run(work)
    headers = {"etag": mark}
    if not shown:
        return Response(None, status_code=304, headers=headers)
    if live:
        drawn = fragment("_activity.html.j2", **shown)
    else:
        drawn = page("activity.html.j2", service, **shown, **_frame(service))
    return Response(drawn, media_type="text/html", headers=headers)


@post("/sample")
async def post_sample(request: Request[Any, Any, Any]) -> Redirect:
    """Accept a sample event, as if atfinity had posted it; go to it."""
    service: Service = request.app.state.service
    source = next(iter(sorted(service.rules.current.ruleset.sources)), "sample")
    receipt = await service.receive(SAMPLE.read_bytes(), source)
    await audit(request, "sample", f"event {receipt.event}")
    return Redirect(f"/events/{receipt.event}", status_code=303)


def _shown(service: Service, filters: Filters, query: Any, mark: str) -> dict[str, Any]:
    """What the live part shows."""
    ledger, now = service.ledger, service.now()
    given = {name: query.get(name, "") for name in FILTERS}
    kept = {**given, "limit": query.get("limit", "")}
    first, narrowed = filters.before is None, any(given.values())
    overview = first and not narrowed
    found = ledger.glance.events(filters)
    hours = bar.last_day(ledger.desk, now) if overview else []
    return {
        "now": now,
        "rows": found.rows,
        "facts": {row.id: case_facts(row) for row in found.rows},
        "older": address(kept, cursor=found.further) if found.further else None,
        "back_to": found.back_to,
        "hours": hours,
        "columns": bar.draw(hours),
        "total": bar.total(hours) if hours else None,
        "unsettled": ledger.glance.unsettled(now - DAY, UNSETTLED) if overview else [],
        "notices": notices(service),
        "paused": paused(service),
        "given": given,
        "narrowed": narrowed,
        "first": first,
        "here_now": address(kept),
        "headers": json.dumps({"If-None-Match": mark}),
    }


def _frame(service: Service) -> dict[str, Any]:
    """What stands around the live part."""
    ruleset = service.rules.current.ruleset
    return {
        "channels": sorted(ruleset.channels),
        "rules": [rule.name for rule in ruleset.rules],
        "sources": sorted(ruleset.sources),
        "base_url": service.settings.base_url,
    }
