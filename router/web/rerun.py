"""The backtest of the playground's rules over the stored history: begin, watch, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.response import Redirect

from router.duration import parse_duration
from router.pools import PAGES
from router.retold import Retold
from router.trial import Backtests, Busy, Rerun
from router.web.draw import fragment, page
from router.web.faults import BadRequest, Conflict
from router.web.forms import receive_form
from router.web.identity import VIEWER, request_identity
from router.web.tryout import MOST, edits_fault, read_form

if TYPE_CHECKING:
    from router.ledger import Run
    from router.service import Service

Asked = Request[Any, Any, Any]
Html = Response[str]

WINDOWS = {"1d": "day", "7d": "7 days", "30d": "30 days"}
HERE = "/playground/backtest"


@post(HERE, opt=VIEWER, status_code=200, request_max_body_size=MOST)
async def begin(request: Asked) -> Response[Any]:
    """Begin a backtest of the edited rules; it replaces the last one of the same person."""
    service: Service = request.app.state.service
    given = list((await receive_form(request)).multi_items())
    force = service.rules.current
    form = read_form(given, force)
    since = str(dict(given).get("since", ""))
    if since not in WINDOWS:
        raise BadRequest(f"`since` is one of {', '.join(WINDOWS)}")
    if not form.edits:
        raise BadRequest("the rules are as those in force; change them, then a backtest tells")
    if fault := edits_fault(form):
        raise BadRequest(fault)
    now = service.now()
    wanted = Rerun(
        files=force.files,
        edits=form.edits,
        base_url=service.settings.base_url,
        database_url=service.settings.database_url.reveal(),
        since=now - parse_duration(since),
        now=now,
    )
    running: Backtests = request.app.state.backtests
    try:
        await running.begin(_who(request), wanted)
    except Busy as error:
        raise Conflict(str(error)) from None
    return await _shown(request)


@get(HERE)
async def watch(request: Asked) -> Response[Any]:
    """How far the backtest of who asks is, and what it found; any process can tell."""
    run = await find_run(request)
    if "hx-request" in request.headers:
        return await _shown(request)
    running = run is not None and run.state == "running"
    drawn = page("backtest.html.j2", request.app.state.service, **told(run))
    headers = {"refresh": "2"} if running else {}
    return Response(drawn, media_type="text/html", headers=headers)


@post(f"{HERE}/cancel", opt=VIEWER, status_code=200)
async def cancel(request: Asked) -> Response[Any]:
    """End the backtest of who asks."""
    service: Service = request.app.state.service
    await PAGES.run(service.ledger.backtests.cancel, _who(request))
    return await _shown(request)


HANDLERS = [begin, watch, cancel]


def told(run: Run | None) -> dict[str, Any]:
    """What a page shows of a backtest."""
    done = run is not None and run.state == "done"
    found = msgspec.json.decode(run.result, type=Retold | None) if run and done else None
    return {"run": run, "found": found}


async def _shown(request: Asked) -> Response[Any]:
    if "hx-request" not in request.headers:
        return Redirect(HERE, status_code=303)
    drawn = fragment("_backtest.html.j2", **told(await find_run(request)))
    return Response(drawn, media_type="text/html")


async def find_run(request: Asked) -> Run | None:
    """The last backtest of who asks."""
    service: Service = request.app.state.service
    return await PAGES.run(service.ledger.backtests.find, _who(request))


def _who(request: Asked) -> str:
    who = request_identity(request)
    return f"{who.way}:{who.name}"
