"""Timers and mutes: what will be said later unless..., and what is silent until when."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.response import Redirect

from router.ledger import MOST, TimerFilters
from router.match import describe_condition
from router.mute import KINDS, begin_mute
from router.pools import PAGES
from router.problem import suggest
from router.view import iso, step_in_words
from router.web.draw import page
from router.web.faults import BadRequest, NotThere
from router.web.forms import receive_form
from router.web.identity import audit, request_identity, service_of
from router.web.query import read_limit, read_object, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.ledger import Cancelled, Ledger, Timer
    from router.rules import Ruleset
    from router.service import Service

Asked = Request[Any, Any, Any]
Html = Response[str]
Json = Response[dict[str, Any]]

NARROWED = ("rule", "channel", "case")
LIMIT = 50
STEP = 500
"""Timers that are cancelled in one transaction, so that accepts do not wait long behind it."""
NAMES = 300
"""Names that the form for a mute proposes."""


@get("/timers")
async def timers(request: Asked) -> Html:
    """The page: timers, digests that collect, mutes."""
    service = service_of(request)
    given, filters = _filters(request.query_params)

    def draw() -> str:
        one_more = msgspec.structs.replace(filters, limit=LIMIT + 1)
        found = service.ledger.desk.timers(one_more)
        ruleset = service.rules.current.ruleset
        rules = sorted({timer.rule for timer in found} | {rule.name for rule in _timed(ruleset)})
        return page(
            "timers.html.j2",
            service,
            timers=found[:LIMIT],
            unless=_endings(ruleset),
            known={rule.name for rule in ruleset.rules},
            given=given,
            narrowed=any(given.values()),
            cursor=_cursor(found[LIMIT - 1]) if len(found) > LIMIT else None,
            first=filters.after is None,
            rules=rules,
            channels=sorted(ruleset.channels),
            digests=service.ledger.desk.digests(LIMIT),
            **_mutes(service),
            names=_names(ruleset),
            kinds=KINDS,
            did=_did(request.query_params),
        )

    return Response(await PAGES.run(draw), media_type="text/html")


@get("/timers/cancel")
async def ask_cancel(request: Asked) -> Html:
    """How many timers fit, before all of them are cancelled."""
    service = service_of(request)
    given, filters = _filters(request.query_params)
    desk = service.ledger.desk
    number, some = await PAGES.run(
        lambda: (len(desk.timer_ids(filters, MOST)), desk.timers(filters))
    )
    drawn = page("cancel_timers.html.j2", service, given=given, number=number, timers=some[:10])
    return Response(drawn, media_type="text/html")


@post("/timers/cancel", status_code=303)
async def cancel_from_page(request: Asked) -> Redirect:
    """Cancel the timers that were ticked, or all that fit, and go back to the page."""
    form = await receive_form(request)
    ids = [_number(str(one)) for one in form.getall("id", [])]
    if ids:
        done = await _cancel(request, ids)
    elif form.get("all"):
        _, filters = _filters({name: form.get(name) or "" for name in NARROWED})
        done = await _cancel_all(request, filters)
    else:
        raise BadRequest("nothing was ticked: tick what is not to be said, then cancel it")
    return Redirect("/timers", query_params={"cancelled": str(done)}, status_code=303)


@post("/timers/mute", status_code=303)
async def mute_from_page(request: Asked) -> Redirect:
    """Begin a mute, and go back to the page."""
    form = await receive_form(request)
    service = service_of(request)
    given = {name: str(form.get(name) or "").strip() for name in ("name", "kind", "for", "reason")}
    if not given["name"]:
        raise BadRequest("a mute needs a name: of a rule, a channel, a source or a case")
    try:
        mute = await PAGES.run(
            begin_mute,
            service.ledger,
            service.rules.current.ruleset,
            name=given["name"],
            kind=given["kind"] or None,
            length=given["for"],
            reason=given["reason"],
            author=request_identity(request).name,
            now=service.now(),
        )
    except ValueError as error:
        raise BadRequest(str(error)) from None
    await audit(request, "mute", f"{mute.kind} {mute.name}", f"for {given['for']}: {mute.reason}")
    return Redirect("/timers#mutes", status_code=303)


@post("/timers/unmute", status_code=303)
async def unmute_from_page(request: Asked) -> Redirect:
    """End a mute before its time, and go back to the page."""
    form = await receive_form(request)
    number = _number(str(form.get("id") or ""))
    ended = await PAGES.run(service_of(request).ledger.desk.unmute, number)
    if not ended:
        raise NotThere(f"there is no mute {number} that holds; it may have ended by itself")
    await audit(request, "unmute", f"{ended[0].kind} {ended[0].name}")
    return Redirect("/timers#mutes", status_code=303)


@get("/api/timers")
async def list_timers(request: Asked) -> Json:
    """What is to be said later, the soonest first; `rule`, `channel` and `case` narrow it."""
    service = service_of(request)
    given = {name: text for name, text in request.query_params.items() if text}
    refuse_unknown(given, (*NARROWED, "limit", "cursor"))
    limit = read_limit(given)
    filters = msgspec.structs.replace(_filters(given)[1], limit=limit + 1)
    found = await PAGES.run(service.ledger.desk.timers, filters)
    unless = _endings(service.rules.current.ruleset)
    items = [_timer_view(timer, unless.get(timer.rule)) for timer in found[:limit]]
    more = _cursor(found[limit - 1]) if len(found) > limit else None
    return Response({"items": items, "next": more})


@post("/api/timers/cancel", status_code=200)
async def cancel_timers(request: Asked) -> Json:
    """Cancel what fits `rule`, `channel` and `case`; `{"dry_run": true}` only counts it."""
    given = read_object(await request.body())
    unknown = set(given) - {*NARROWED, "dry_run"}
    if unknown:
        name = min(unknown)
        raise BadRequest(f"there is no `{name}`; {suggest(name, (*NARROWED, 'dry_run'))}")
    wanted = {name: given[name] for name in NARROWED if given.get(name) is not None}
    if not all(isinstance(value, str) for value in wanted.values()):
        raise BadRequest("`rule`, `channel` and `case` are names")
    if not wanted:
        raise BadRequest("say which: give a `rule`, a `channel` or a `case`")
    _, filters = _filters(wanted)
    if given.get("dry_run") is True:
        found = service_of(request).ledger.desk.timer_ids
        return Response({"would_cancel": len(await PAGES.run(found, filters, MOST))})
    return Response({"cancelled": await _cancel_all(request, filters)})


HANDLERS = [
    timers,
    ask_cancel,
    cancel_from_page,
    mute_from_page,
    unmute_from_page,
    list_timers,
    cancel_timers,
]


async def _cancel(request: Asked, ids: list[int]) -> int:
    service = service_of(request)
    author = request_identity(request).name
    answers = await PAGES.run(lambda: service.ledger.cancel(ids, author=author))
    done = _done(answers)
    await audit(request, "cancel", f"{done} timers", ", ".join(map(str, ids)))
    return done


async def _cancel_all(request: Asked, filters: TimerFilters) -> int:
    service = service_of(request)
    author = request_identity(request).name
    done = await PAGES.run(_cancel_steps, service.ledger, filters, author)
    told = [f"{name} {value}" for name in NARROWED if (value := getattr(filters, name))]
    await audit(request, "cancel", f"{done} timers", ", ".join(told) or "all there were")
    return done


def _cancel_steps(ledger: Ledger, filters: TimerFilters, author: str) -> int:
    total = 0
    while True:
        ids = ledger.desk.timer_ids(filters, STEP)
        done = _done(ledger.cancel(ids, author=author)) if ids else 0
        total += done
        if len(ids) < STEP or not done:
            return total


def _done(answers: list[Cancelled]) -> int:
    return sum(answer.done for answer in answers)


def _filters(query: Mapping[str, Any]) -> tuple[dict[str, str], TimerFilters]:
    given = {name: str(query.get(name) or "").replace("\0", "").strip() for name in NARROWED}
    narrowed = {name: value or None for name, value in given.items()}
    return given, TimerFilters(
        after=_after(str(query.get("cursor") or "")), limit=LIMIT, **narrowed
    )


def _after(cursor: str) -> tuple[float, int] | None:
    if not cursor:
        return None
    at, _, number = cursor.partition("-")
    try:
        moment = float(at)
        if math.isfinite(moment):
            return moment, int(number[:18])
    except ValueError:
        pass
    raise BadRequest("`cursor` is not one: follow the link to the next page")


def _cursor(timer: Timer) -> str:
    return f"{timer.moment!r}-{timer.id}"


def _endings(ruleset: Ruleset) -> dict[str, str]:
    """What would keep each rule from saying it, in words."""
    return {
        rule.name: describe_condition(rule.unless)
        for rule in ruleset.rules
        if rule.unless is not None
    }


def _timed(ruleset: Ruleset) -> list[Any]:
    return [rule for rule in ruleset.rules if rule.after or rule.remind or rule.escalate]


def _mutes(service: Service) -> dict[str, Any]:
    holding = service.ledger.desk.mutes()
    ids = {mute.id for mute in holding}
    ended = [mute for mute in service.ledger.desk.mutes(ended=True) if mute.id not in ids]
    return {"mutes": holding, "ended": ended[:20]}


def _names(ruleset: Ruleset) -> list[str]:
    names = (*ruleset.channels, *ruleset.sources, *(rule.name for rule in ruleset.rules))
    return list(dict.fromkeys(names))[:NAMES]


def _did(query: Mapping[str, Any]) -> int | None:
    told = str(query.get("cancelled") or "")
    return int(told[:9]) if told.isascii() and told.isdigit() else None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest("an `id` is a whole number")
    return int(text)


def _timer_view(timer: Timer, unless: str | None) -> dict[str, Any]:
    return {
        "id": timer.id,
        "event": timer.event_id,
        "rule": timer.rule,
        "channel": timer.channel,
        "at": iso(timer.moment),
        "step": step_in_words(timer.step),
        "unless": unless,
        "created_at": iso(timer.created_at),
        "trigger": timer.trigger,
        "case": timer.case_ref,
    }
