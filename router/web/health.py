"""Is it alive, may it be sent work, and what does it count?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get, route
from litestar.enums import HttpMethod

from router.metrics import CONTENT_TYPE
from router.pools import PAGES
from router.web.identity import ANYONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.service import Service


@route("/livez", http_method=[HttpMethod.GET, HttpMethod.HEAD], opt=ANYONE, status_code=200)
async def livez(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """Every thread that must live does: 200, else 503 and why; then start another process."""
    service: Service = request.app.state.service
    return _answer(service.supervisor.faults(), "alive", "not alive")


@route("/readyz", http_method=[HttpMethod.GET, HttpMethod.HEAD], opt=ANYONE, status_code=200)
async def readyz(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """It can write, has rules, what is due goes out, and it is not stopping: 200, else 503 and
    why; then send it nothing."""
    service: Service = request.app.state.service
    return _answer((await service.readiness()).reasons, "ready", "not ready")


def _answer(reasons: Sequence[str], well: str, unwell: str) -> Response[dict[str, Any]]:
    if reasons:
        return Response({"status": unwell, "reasons": list(reasons)}, status_code=503)
    return Response({"status": well}, status_code=200)


@get("/metrics")
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Everything counted, in Prometheus' text format."""
    service: Service = request.app.state.service
    return Response(await PAGES.run(lambda: _measure(service)), media_type=CONTENT_TYPE)


def _measure(service: Service) -> bytes:
    """All that is counted; what the ledger knows is asked of it now, since another process may be
    the one that sends, or should."""
    counted = service.metrics
    counted.waits(service.ledger.pending())
    counted.fails({name: lane.failures for name, lane in service.ledger.desk.lanes().items()})
    counted.oldest_due.set(service.longest_wait())
    return counted.text()
