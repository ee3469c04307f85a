"""The web: the receiver, the API, the pages, health. The only Litestar."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from litestar import Litestar
from litestar.datastructures import State

from router.pools import Crowded
from router.trial import Aside, Backtests
from router.web.answers import HANDLERS as ANSWERS
from router.web.answers import refuse_crowded
from router.web.api import HANDLERS as API
from router.web.channels import HANDLERS as CHANNELS
from router.web.guard import admit, guarded
from router.web.health import livez, metrics, readyz
from router.web.login import HANDLERS as LOGIN
from router.web.mutes import HANDLERS as MUTES
from router.web.pages import page_handlers
from router.web.playground import HANDLERS as PLAYGROUND
from router.web.receiver import PREFIX, receive_event
from router.web.reference import HANDLERS as REFERENCE
from router.web.rerun import HANDLERS as RERUN
from router.web.rules import HANDLERS as RULES
from router.web.status import HANDLERS as STATUS
from router.web.timers import HANDLERS as TIMERS
from router.web.trail import HANDLERS as TRAIL
from router.web.turnstile import Turnstile

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ASGIApp, Receive, Scope, Send

    from router.service import Service

BODY = 1024 * 1024
PROBES = frozenset({"/livez", "/readyz"})
ROUTES: list[HTTPRouteHandler] = [
    *(livez, readyz, metrics),
    *API,
    *CHANNELS,
    *RULES,
    *PLAYGROUND,
    *RERUN,
    *TIMERS,
    *STATUS,
    *MUTES,
    *LOGIN,
    *TRAIL,
    *REFERENCE,
    *page_handlers(),
]
"""Everything but the hooks."""


def create_app(service: Service) -> ASGIApp:
    """Build the ASGI application: hooks go to the receiver, all else to Litestar."""
    pages = Litestar(
        route_handlers=ROUTES,
        guards=[admit],
        exception_handlers=ANSWERS,
        state=State({"service": service, "aside": Aside(), "backtests": Backtests(service.ledger)}),
        openapi_config=None,
        logging_config=None,
        request_max_body_size=max(BODY, service.settings.max_body),
    )

    shielded = guarded(service, pages)
    pages_turn = Turnstile(lambda: service.accepting > 0)
    # Probes are never told that too many ask: else a flood of pages would end the process.
    probes_turn = Turnstile(lambda: service.accepting > 0, most=sys.maxsize)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(PREFIX):
            await receive_event(service, scope, receive, send)
            return
        try:
            await (probes_turn if scope["path"] in PROBES else pages_turn).pass_through()
        except Crowded as crowded:
            await refuse_crowded(crowded, send)
            return
        if not _has_left(scope):
            await shielded(scope, receive, send)

    return app


def _has_left(scope: Scope) -> bool:
    """Whether who asked has gone meanwhile; the server knows."""
    has_left: Callable[[], bool] | None = scope.get("router.has_left")  # type: ignore[assignment]
    return has_left is not None and has_left()
