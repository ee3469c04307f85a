"""Answers that are no success: problem details (RFC 9457) for scripts, a page for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException

from router.ledger import LedgerUnavailable
from router.log import get_logger
from router.web.faults import BadRequest, Conflict, NotThere
from router.web.pages import error_page

if TYPE_CHECKING:
    from litestar import Request

HTML = "text/html"
PROBLEM = "application/problem+json"

_log = get_logger()


def answer(accept: str, status: int, title: str, advice: str) -> Response[bytes]:
    """Build an answer in the form that the one who asked reads."""
    headers = {}
    if status == 401:
        headers["www-authenticate"] = 'Basic realm="router", charset="UTF-8"'
    if status == 503:
        headers["retry-after"] = "5"
    if "text/html" in accept:
        page = error_page(status, title, advice).encode()
        return Response(page, status_code=status, headers=headers, media_type=HTML)
    problem = {"type": "about:blank", "title": title, "status": status, "detail": advice}
    body = msgspec.json.encode(problem)
    return Response(body, status_code=status, headers=headers, media_type=PROBLEM)


def on_bad_request(request: Request[Any, Any, Any], error: BadRequest) -> Response[bytes]:
    return _reply(request, 400, "the request makes no sense", str(error))


def on_conflict(request: Request[Any, Any, Any], error: Conflict) -> Response[bytes]:
    return _reply(request, 409, "it cannot be done now", str(error))


def on_not_there(request: Request[Any, Any, Any], error: NotThere) -> Response[bytes]:
    return _reply(request, 404, "not found", str(error))


def on_unavailable(request: Request[Any, Any, Any], error: LedgerUnavailable) -> Response[bytes]:
    _log.error("ledger_unavailable", reason=str(error))
    return _reply(request, 503, "the database cannot be used now", str(error))


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    status = error.status_code
    advice = {
        404: "there is no such address; the list of events is at /",
        405: "the address is right, the method is not",
        413: "the body is too large",
    }.get(status, "")
    return _reply(request, status, HTTPStatus(status).phrase.lower(), advice)


def on_fault(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    # The path of a page or API call holds no secret; hooks do not come this way.
    _log.error("request_fault", path=request.scope["path"], exc_info=error)
    advice = "this is a fault of the router; its log says more"
    return _reply(request, 500, "something went wrong", advice)


HANDLERS: dict[Any, Any] = {
    BadRequest: on_bad_request,
    Conflict: on_conflict,
    NotThere: on_not_there,
    LedgerUnavailable: on_unavailable,
    HTTPException: on_http,
    Exception: on_fault,
}


def _reply(
    request: Request[Any, Any, Any], status: int, title: str, advice: str
) -> Response[bytes]:
    return answer(request.headers.get("accept", ""), status, title, advice)
