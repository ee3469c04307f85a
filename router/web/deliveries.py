"""The deliveries: what waits, failed, was sent or held back; sending again and cancelling many."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Response, get, post

from router.pools import PAGES
from router.web.draw import fragment, page
from router.web.faults import BadRequest
from router.web.forms import receive_form
from router.web.identity import audit, request_identity
from router.web.plan import ACTS, plan
from router.web.query import FILTERS, read_filters
from router.web.show import address, notices, paused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.ledger import Filters
    from router.service import Service
    from router.web.plan import Act

PATH = "/deliveries"
MOST = 5_000
"""So many are sent again or cancelled at once."""
STEP = 200
"""So many in one transaction, so that accepts do not wait long behind them."""

Html = Response[str]
_NOTHING = "nothing is chosen: tick deliveries, or choose all that match"


@get(PATH)
async def deliveries(request: Request[Any, Any, Any]) -> Response[str | None]:
    """Deliveries, newest first.

    htmx asks for the live part with the ETag of what it shows, and is answered 304 while that is
    the same.
    """
    service: Service = request.app.state.service
    query = request.query_params
    filters = read_filters(query, service.now())
    live, may_act = "hx-request" in request.headers, request_identity(request).may_act
    known = request.headers.get("if-none-match", "") if live else ""

    def work() -> tuple[str, str | None]:
        mark = f'"{service.ledger.glance.mark_deliveries(filters)}"'
        if mark == known:
            return mark, None
        shown = _shown(service, filters, query, mark) | {"may_act": may_act}
        drawn = fragment("_deliveries.html.j2", **shown) if live else None
        return mark, drawn or page("deliveries.html.j2", service, **shown)

    mark, drawn = await PAGES.run(work)
    status = 304 if drawn is None else 200
    return Response(drawn, status_code=status, media_type="text/html", headers={"etag": mark})


@post(f"{PATH}/plan", status_code=200)
async def plan_many(request: Request[Any, Any, Any]) -> Html:
    """Say what would be done to those that were chosen; nothing is done yet."""
    service: Service = request.app.state.service
    form = await receive_form(request)
    act, kept = _act(form), str(form.get("kept", ""))
    every = form.get("every") is not None

    def work() -> str:
        ids = _matching(service, kept) if every else _numbers(form.getall("id", []))
        if not ids:
            raise BadRequest(_NOTHING)
        rows = service.ledger.glance.among(ids[:MOST])
        made = plan(act, rows, service.rules.current.ruleset.channels)
        return page(
            "plan.html.j2",
            service,
            paused=paused(service),
            plan=made,
            more=len(ids) > MOST,
            sample=[row for row in rows if row.id in set(made.ids[:SAMPLE])],
            kept=kept,
            planned_at=service.now(),
        )

    return Response(await PAGES.run(work), media_type="text/html")


@post(f"{PATH}/do", status_code=200)
async def do_many(request: Request[Any, Any, Any]) -> Html:
    """Do what was planned, and tell what became of it.

    What somebody sent again since the plan was made is left alone: loading the answer twice, or
    two operators with one thought, send nothing twice.
    """
    service: Service = request.app.state.service
    form = await receive_form(request)
    act, kept = _act(form), str(form.get("kept", ""))
    ids = _numbers(str(form.get("ids", "")).split(","))[:MOST]
    if not ids:
        raise BadRequest(_NOTHING)
    if act == "resend":
        under = service.rules.current.ruleset.hash if form.get("fresh") else None
        done, left = await PAGES.run(_resend, service, ids, under, _moment(form))
    else:
        author = request_identity(request).name
        done, left = await PAGES.run(_cancel, service, ids, author)
    service.worker.wake()
    about = f"delivery {ids[0]}" if len(ids) == 1 else f"{done} deliveries"
    await audit(request, act, about, f"chosen by {kept}" if kept else "")
    given = {"act": act, "done": done, "left": left, "kept": kept}
    drawn = await PAGES.run(lambda: page("done.html.j2", service, **given))
    return Response(drawn, media_type="text/html")


SAMPLE = 10


def _shown(service: Service, filters: Filters, query: Any, mark: str) -> dict[str, Any]:
    """What the live part shows."""
    given = {name: query.get(name, "") for name in FILTERS}
    kept = {**given, "limit": query.get("limit", "")}
    found = service.ledger.glance.deliveries(filters)
    ruleset = service.rules.current.ruleset
    return {
        "now": service.now(),
        "paused": paused(service),
        "rows": found.rows,
        "given": given,
        "kept": address(kept, PATH).partition("?")[2],
        "narrowed": any(value for name, value in given.items() if name != "state"),
        "older": address(kept, PATH, cursor=found.further) if found.further else None,
        "newest": None if filters.before is None else address(kept, PATH),
        "back_to": found.back_to,
        "waiting": sum(service.ledger.pending().values()),
        "channels": sorted(ruleset.channels),
        "rules": [rule.name for rule in ruleset.rules],
        "sources": sorted(ruleset.sources),
        "notices": notices(service),
        "here_now": address(kept, PATH),
        "headers": json.dumps({"If-None-Match": mark}),
    }


def _resend(
    service: Service, ids: Sequence[int], under: str | None, since: float
) -> tuple[int, dict[str, int]]:
    done, left = 0, Counter[str]()
    for at in range(0, len(ids), STEP):
        some = ids[at : at + STEP]
        already = service.ledger.glance.sent_again(some, since)
        left["was sent again meanwhile"] += len(already)
        answers = service.ledger.resend(
            [one for one in some if one not in already], fresh_under=under
        )
        done += sum(answer.new is not None for answer in answers)
        left.update(answer.reason for answer in answers if answer.new is None)
    return done, {reason: number for reason, number in left.items() if number}


def _cancel(service: Service, ids: Sequence[int], author: str) -> tuple[int, dict[str, int]]:
    done, left = 0, Counter[str]()
    for at in range(0, len(ids), STEP):
        answers = service.ledger.cancel(ids[at : at + STEP], author=author)
        done += sum(answer.done for answer in answers)
        left.update(answer.reason for answer in answers if not answer.done)
    return done, dict(left)


def _matching(service: Service, kept: str) -> tuple[int, ...]:
    """All that a list's address shows, wherever they are; one more than `MOST` if there are."""
    filters = read_filters(dict(parse_qsl(kept)), service.now())
    every = msgspec.structs.replace(filters, before=None, limit=MOST + 1)
    return service.ledger.glance.chosen(every)


def _act(form: Any) -> Act:
    for act in ACTS:
        if form.get("act") == act:
            return act
    raise BadRequest("`act` is `resend` or `cancel`")


def _numbers(texts: Sequence[Any]) -> list[int]:
    words = [str(text) for text in texts]
    if any(not (word.isascii() and word.isdigit() and len(word) < 19) for word in words if word):
        raise BadRequest("an id is a whole number")
    return list(dict.fromkeys(int(word) for word in words if word))


def _moment(form: Any) -> float:
    try:
        return float(form.get("planned_at", ""))
    except ValueError:
        raise BadRequest("`planned_at` is missing: make the plan again") from None
