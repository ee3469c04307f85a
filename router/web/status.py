"""Status: version, rulesets and their history, queue, database, processes, settings, deeds."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get

from router import __version__
from router.ledger import AuditFilters, LedgerUnavailable
from router.pools import PAGES
from router.view import iso
from router.web.draw import page
from router.web.faults import BadRequest, NotThere
from router.web.identity import service_of
from router.web.status_state import MOST, difference, settings_in_words, size_in_words

if TYPE_CHECKING:
    from router.ledger import Load
    from router.service import Service

Asked = Request[Any, Any, Any]
Html = Response[str]
Json = Response[dict[str, Any]]

LOADS = 30
DEEDS = 10
HASH = 64


@get("/status")
async def status(request: Asked) -> Html:
    """The page; it answers without the database too, and then says so."""
    service = service_of(request)
    readiness = await service.readiness()
    reasons = list(readiness.reasons)

    def draw() -> str:
        try:
            known: dict[str, Any] | None = _known(service)
        except LedgerUnavailable as error:
            known = None
            reasons.append(f"the database does not answer: {error}")
        return page(
            "status.html.j2",
            service,
            known=known,
            reasons=list(dict.fromkeys(reasons)),
            settings=settings_in_words(service.settings),
            started_at=service.started_at,
            role=service.role,
            backlog=service.ledger.backlog,
            mine=service.ledger.slot,
            rules_on_disk=service.rules.last.outcome,
        )

    return Response(await PAGES.run(draw), media_type="text/html")


@get("/status/diff")
async def diff(request: Asked) -> Html:
    """What changed from one ruleset to another."""
    service = service_of(request)
    old, new = _hash(request, "old"), _hash(request, "new")

    def draw() -> str:
        files = []
        for hash_ in (old, new):
            found = service.ledger.desk.ruleset(hash_)
            if found is None:
                raise NotThere(f"no ruleset `{hash_}` was kept; those that were stand at /status")
            files.append(found)
        lines = difference(*files)
        return page(
            "diff.html.j2", service, old=old, new=new, lines=lines[:MOST], cut=len(lines) > MOST
        )

    return Response(await PAGES.run(draw), media_type="text/html")


@get("/api/status")
async def get_status(request: Asked) -> Json:
    """Version, readiness, database, processes and the history of rulesets."""
    service = service_of(request)
    readiness = await service.readiness()
    desk = service.ledger.desk
    database, processes, loads, longest = await PAGES.run(
        lambda: (desk.database(), desk.processes(), desk.loads(LOADS), service.longest_wait())
    )
    return Response(
        {
            "version": __version__,
            "ready": not readiness.reasons,
            "reasons": list(readiness.reasons),
            "oldest_due_seconds": longest,
            "ruleset": service.rules.current.ruleset.hash,
            "rules_on_disk": service.rules.last.outcome,
            "database": {
                "engine": database.engine,
                "size": database.size,
                "revision": database.revision,
            },
            "processes": [
                {
                    "slot": one.slot,
                    "host": one.host,
                    "pid": one.pid,
                    "role": one.role,
                    "version": one.version,
                    "started_at": iso(one.started_at),
                    "ruleset": one.ruleset,
                }
                for one in processes
            ],
            "rulesets": [{"hash": load.hash, "at": iso(load.at)} for load in loads],
        }
    )


HANDLERS = [status, diff, get_status]


def _known(service: Service) -> dict[str, Any]:
    """What the ledger tells."""
    ledger, channels = service.ledger, service.rules.current.ruleset.channels
    waiting = ledger.desk.waiting(list(channels)).values()
    database = ledger.desk.database()
    loads = ledger.desk.loads(LOADS + 1)
    return {
        "database": database,
        "size": size_in_words(database.size),
        "processes": ledger.desk.processes(),
        "loads": _with_previous(loads)[:LOADS],
        "queued": sum(one.queued for one in waiting),
        "later": sum(one.later for one in waiting),
        "longest": service.longest_wait(),
        "since": min((one.since for one in waiting if one.since is not None), default=None),
        "deeds": ledger.people.deeds(AuditFilters(limit=DEEDS)),
    }


def _with_previous(loads: list[Load]) -> list[tuple[Load, Load | None]]:
    """Each load, the latest first, with the one before it."""
    pairs: list[tuple[Load, Load | None]] = list(pairwise(loads))
    return [*pairs, (loads[-1], None)] if loads else []


def _hash(request: Asked, name: str) -> str:
    text = str(request.query_params.get(name, ""))
    if not text or len(text) > HASH or not text.isalnum():
        raise BadRequest(f"`{name}` is the hash of a ruleset; those that were kept are at /status")
    return text
