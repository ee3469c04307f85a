"""The pages: what happened, what became of it, and why."""

from __future__ import annotations

import asyncio
import hashlib
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.response import Redirect

from router import __version__
from router.event import TRIGGERS
from router.ledger import STATES
from router.render.page import page_renderer
from router.view import explain, stored_event
from router.web import show
from router.web.faults import BadRequest, NotThere
from router.web.query import read_filters

if TYPE_CHECKING:
    from router.ledger import EventRow
    from router.route import Decision
    from router.service import Service

_HERE = Path(__file__).parent
_STATIC = {path.name: path.read_bytes() for path in sorted((_HERE / "static").iterdir())}
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_VERSION = hashlib.sha256(b"".join(_STATIC.values())).hexdigest()[:10]
MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
FILTERS = ("q", "state", "channel", "rule", "trigger", "source", "case", "since", "until")

_page = page_renderer(
    _HERE / "templates",
    {"version": __version__, "static": _VERSION, "states": STATES, "triggers": sorted(TRIGGERS)},
    {
        "exact": show.exact,
        "machine": show.machine,
        "ago": show.ago,
        "state_word": show.state_word,
        "why": show.why,
        "took": show.took,
        "spans": show.spans,
        "captured_text": show.captured_text,
    },
)
Html = Response[str]


def error_page(status: int, title: str, advice: str) -> str:
    """A page that says what went wrong and what to do."""
    phrase = HTTPStatus(status).phrase
    return _page(
        "error.html.j2", {"status": status, "phrase": phrase, "title": title, "advice": advice}
    )


def page_handlers() -> list[Any]:
    """Everything that answers a browser."""
    return [activity, event, mail, resend, static]


@get("/")
async def activity(request: Request[Any, Any, Any]) -> Html:
    """The latest events, with what became of each."""
    service = _service(request)
    now = service.now()
    filters = read_filters(request.query_params, now)
    rows = await asyncio.to_thread(service.ledger.events, filters)
    given = {name: request.query_params.get(name, "") for name in FILTERS}
    active = {name: value for name, value in given.items() if value}
    older = None
    if len(rows) == filters.limit:
        older = "/?" + urlencode({**active, "cursor": rows[-1].id})
    return _html(
        "activity.html.j2",
        service,
        rows=rows,
        given=given,
        active=active,
        older=older,
        first=filters.before is None,
        facts={row.id: _facts(row) for row in rows},
        source=next(iter(service.rules.current.ruleset.sources), "atfinity"),
    )


@get("/events/{event_id:int}")
async def event(request: Request[Any, Any, Any]) -> Html:
    """One event: why each rule spoke or not, the messages, every attempt."""
    service = _service(request)
    number = request.path_params["event_id"]
    row = await asyncio.to_thread(service.ledger.event, number)
    if row is None:
        raise NotThere(f"there is no event {number}; the list of events is at /")
    words = await asyncio.to_thread(service.rules.words, row.ruleset or "")
    body, cut = show.pretty(row.body)
    return _html(
        "event.html.j2",
        service,
        row=row,
        facts=_facts(row),
        decisions=_by_interest(explain(row, words.table)),
        body=body,
        cut=cut,
        said=request.query_params.get("said", ""),
    )


@get("/events/{event_id:int}/deliveries/{delivery_id:int}/mail")
async def mail(request: Request[Any, Any, Any]) -> Html:
    """The HTML of a mail, to be shown in a frame: it may run nothing and load nothing."""
    service = _service(request)
    number = request.path_params["delivery_id"]
    row = await asyncio.to_thread(service.ledger.delivery, number)
    if row is None or row.message is None or row.message.format != "html":
        raise NotThere(f"delivery {number} has no mail to show")
    headers = {
        # The frame is our own page's; nobody else may hold it.
        "content-security-policy": f"{MAIL_POLICY}; frame-ancestors 'self'",
    }
    return Response(row.message.body, media_type="text/html", headers=headers)


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
    said = urlencode({"said": answer.new})
    return Redirect(f"/events/{row.event_id}?{said}#d{answer.new}", status_code=303)


@get("/static/{name:str}")
async def static(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Style and script: they change with their address, so they may be kept for ever."""
    name = request.path_params["name"]
    content = _STATIC.get(name)
    if content is None:
        raise NotThere("there is no such file")
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(content, media_type=_TYPES[Path(name).suffix], headers=headers)


def _html(name: str, service: Service, **given: Any) -> Html:
    rules = service.rules
    broken = rules.last.report(service.settings.rules) if rules.last.outcome == "broken" else ""
    channels = rules.current.ruleset.channels
    common = {
        "now": service.now(),
        "capture": service.settings.outbound == "capture",
        "broken": broken,
        "base_url": service.settings.base_url,
        "channels": sorted(channels),
        "rules": [rule.name for rule in rules.current.ruleset.rules],
        "paused": {channel for channel, known in channels.items() if known.paused},
    }
    return Response(_page(name, {**common, **given}), media_type="text/html")


def _facts(row: EventRow) -> dict[str, Any]:
    """What a row of the list says of its case."""
    found = stored_event(row)
    fields = found.fields if found is not None else {}
    url = fields.get("case_url")
    return {
        "name": fields.get("case_name"),
        "process": fields.get("process_key"),
        "before": fields.get("previous_state_key"),
        "after": fields.get("current_state_key"),
        "url": url if isinstance(url, str) and url.startswith(("https://", "http://")) else None,
    }


def _by_interest(decisions: tuple[Decision, ...]) -> list[Decision]:
    """Rules that spoke or failed first, then those that came near, then the others."""
    first = {"matched": 0, "error": 1, "no match": 2, "not reached": 3, "parked": 4}

    def rank(decision: Decision) -> tuple[int, int, float]:
        held = sum(check.holds for check in decision.checks)
        near = 1 if decision.outcome == "no match" and held else 2
        share = held / len(decision.checks) if decision.checks else 0.0
        return first[decision.outcome], near, -share

    return sorted(decisions, key=rank)


def _service(request: Request[Any, Any, Any]) -> Service:
    service: Service = request.app.state.service
    return service
