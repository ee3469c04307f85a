"""Rules: what each matched, what is wrong, who is told what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get

from router.graph import svg
from router.pools import PAGES
from router.problem import suggest
from router.web.draw import page
from router.web.faults import BadRequest
from router.web.identity import service_of
from router.web.rule_state import (
    DAYS,
    SHOWS,
    RuleState,
    graph_of_some,
    narrow,
    rule_states,
    rule_view,
    sources_heard,
    sources_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.service import Service

Asked = Request[Any, Any, Any]
Html = Response[str]
Json = Response[dict[str, Any]]

LIMIT = 50
"""Rules on one page; so many can be drawn, too."""
FEW = 10
DAY = 86400.0


@get("/rules")
async def rules(request: Asked) -> Html:
    """The page: what needs a look first, then the rules in their order."""
    service = service_of(request)
    query = request.query_params
    show = next((one for one in SHOWS if one == query.get("show", "")), None)
    if show is None:
        raise BadRequest(f"there is no list `{query['show'][:50]}`; {suggest('', SHOWS)}")
    text, begin = query.get("q", "").strip(), _begin(query.get("from", ""))

    def draw() -> str:
        states = _states(service)
        fitting = narrow(states, show, text)
        ruleset = service.rules.current.ruleset
        shown = fitting[begin : begin + LIMIT]
        graph = graph_of_some(ruleset, shown)
        return page(
            "rules.html.j2",
            service,
            states=shown,
            sources=sources_of(shown, ruleset.files),
            graph=svg(graph) if shown else "",
            heard=sources_heard(graph) if len(ruleset.sources) > 1 else None,
            tested=len(service.rules.current.tests),
            total=len(states),
            fitting=len(fitting),
            begin=begin,
            more=begin + LIMIT if len(fitting) > begin + LIMIT else None,
            back=max(0, begin - LIMIT),
            given={"q": text, "show": show},
            shows=SHOWS,
            counts=_counts(states),
            days=DAYS,
            never=[state for state in states if state.word == "never matched"][:FEW],
            **_unheard(service),
        )

    return Response(await PAGES.run(draw), media_type="text/html")


@get("/api/rules")
async def list_rules(request: Asked) -> Json:
    """The rules in force, in their order: what each matched, and what is wrong with those on disk,
    if anything."""
    service = service_of(request)
    states = await PAGES.run(_states, service)
    last = service.rules.last
    broken = last.report(service.settings.rules) if last.outcome == "broken" else None
    hash_ = service.rules.current.ruleset.hash
    items = [rule_view(state) for state in states]
    return Response({"ruleset": hash_, "items": items, "next": None, "broken": broken})


HANDLERS = [rules, list_rules]


def _states(service: Service) -> list[RuleState]:
    ledger, now = service.ledger, service.now()
    matched = ledger.desk.totals("matched", now - DAYS * DAY)
    return rule_states(service.rules.current, matched, ledger.desk.mutes())


def _counts(states: Sequence[RuleState]) -> dict[str, int]:
    return {show: len(narrow(states, show, "")) for show in SHOWS}


def _unheard(service: Service) -> dict[str, Any]:
    """What no rule speaks about: how many by trigger, and the latest of them."""
    desk = service.ledger.desk
    since = service.now() - DAYS * DAY
    found = sorted(desk.totals("unmatched", since).values(), key=lambda tally: -tally.number)
    latest = [event for event in desk.unheard(5) if event.received_at >= since]
    return {"unmatched": found, "unheard": latest}


def _begin(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise BadRequest("`from` is a whole number: the place of the first rule that is shown")
    return int(text[:9])
