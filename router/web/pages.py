"""The pages, and the files that go with them."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from litestar import Request, Response, get

from router.web.activity import activity, post_sample
from router.web.deliveries import deliveries, do_many, plan_many
from router.web.draw import STATIC
from router.web.event import as_a_test, event, mail, raw
from router.web.faults import NotThere
from router.web.identity import ANYONE
from router.web.one import cancel, resend

_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


def page_handlers() -> list[Any]:
    """Everything that answers a browser."""
    events = [activity, post_sample, event, mail, raw, as_a_test]
    return [*events, deliveries, plan_many, do_many, resend, cancel, static]


@get("/static/{name:str}", opt=ANYONE)
async def static(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Style and script: they change with their address, so they may be kept for ever."""
    name = request.path_params["name"]
    if name not in STATIC:
        raise NotThere("there is no such file")
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(STATIC[name], media_type=_TYPES[PurePath(name).suffix], headers=headers)
