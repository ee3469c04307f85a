"""The web: the receiver, the API, the pages, health. The only Litestar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Litestar
from litestar.datastructures import State

from router.web.answers import HANDLERS as ANSWERS
from router.web.api import HANDLERS as API
from router.web.guard import Guard
from router.web.health import livez, metrics, readyz
from router.web.pages import page_handlers
from router.web.receiver import receiver

if TYPE_CHECKING:
    from router.service import Service

BODY = 1024 * 1024


def create_app(service: Service) -> Litestar:
    """Build the ASGI application around a service."""
    return Litestar(
        route_handlers=[receiver, livez, readyz, metrics, *API, *page_handlers()],
        middleware=[Guard()],
        exception_handlers=ANSWERS,
        state=State({"service": service}),
        openapi_config=None,
        logging_config=None,
        request_max_body_size=max(BODY, service.settings.max_body),
    )
