"""The API's description, as JSON and as a page to read."""

from __future__ import annotations

from functools import cache
from typing import Any

from litestar import Request, Response, get

from router.web.description import describe
from router.web.draw import page


@get("/api/openapi.json")
async def openapi(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """The description of the API (OpenAPI 3.1)."""
    return Response(description())


@get("/api")
async def reference(request: Request[Any, Any, Any]) -> Response[str]:
    """The same as a page to read."""
    drawn = page("reference.html.j2", request.app.state.service, api=description())
    return Response(drawn, media_type="text/html")


HANDLERS = [openapi, reference]


@cache
def description() -> dict[str, Any]:
    """The description of this version's API."""
    from router.web.app import ROUTES  # noqa: PLC0415 - the routes hold these handlers

    return describe(ROUTES)
