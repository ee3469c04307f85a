"""Is it alive, may it be sent work, and what does it count?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get

from router.metrics import CONTENT_TYPE
from router.web.identity import ANYONE

if TYPE_CHECKING:
    from router.service import Service


@get("/livez", opt=ANYONE)
async def livez() -> dict[str, str]:
    """The process is alive."""
    return {"status": "alive"}


@get("/readyz", opt=ANYONE)
async def readyz(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """It can write, has rules, its worker beats, and it is not stopping: 200, else 503 and why."""
    service: Service = request.app.state.service
    reasons = (await service.readiness()).reasons
    if reasons:
        return Response({"status": "not ready", "reasons": list(reasons)}, status_code=503)
    return Response({"status": "ready"})


@get("/metrics")
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Everything counted, in Prometheus' text format."""
    service: Service = request.app.state.service
    service.metrics.waits(await asyncio.to_thread(service.ledger.pending))
    lanes = await asyncio.to_thread(service.ledger.lanes)
    service.metrics.fails({name: lane.failures for name, lane in lanes.items()})
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)
