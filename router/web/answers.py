"""Answers that are no success: problem details (RFC 9457) for scripts, a page for people."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException

from router.duration import show_duration
from router.ledger import LedgerUnavailable
from router.log import get_logger
from router.pools import Crowded
from router.web.draw import error_page, fragment
from router.web.faults import (
    BadFilter,
    BadRequest,
    Conflict,
    NotAllowed,
    NotKnown,
    NotThere,
    OtherSite,
    TooOften,
)
from router.web.keep import Kept, return_address
from router.web.login import LOGIN, login_page

if TYPE_CHECKING:
    from litestar import Request
    from litestar.types import Send

    from router.web.draw import Way

    Asked = Request[Any, Any, Any]

HTML = "text/html"
PROBLEM = "application/problem+json"
ADVICE = {
    404: "there is no such address; the list of events is at /",
    405: "the address is right, the method is not",
    413: "the body is too large",
}

MEANWHILE = (
    "Nothing that was answered 202 is lost, and what cannot be written down is answered 503, so"
    " that it is sent again. Look at the database and its disk; `router doctor` says more"
)

_log = get_logger()


def answer(
    request: Asked,
    status: int,
    title: str,
    advice: str,
    way: Way | None = None,
    **headers: str,
) -> Response[bytes]:
    """Build an answer in the form that the one who asked reads.

    `way` is a link on a page for people; `headers` have `_` for `-`.
    """
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if "hx-request" in request.headers:
        part = fragment("_refused.html.j2", title=title, advice=advice, login=None)
        return Response(part.encode(), status_code=status, headers=given | ASIDE, media_type=HTML)
    if HTML in request.headers.get("accept", ""):
        page = error_page(status, title, advice, way).encode()
        return Response(page, status_code=status, headers=given, media_type=HTML)
    problem = {"type": "about:blank", "title": title, "status": status, "detail": advice}
    body = msgspec.json.encode(problem)
    return Response(body, status_code=status, headers=given, media_type=PROBLEM)


# What htmx asked for is not lost: the page stays as it is, and says beside it what is wrong.
ASIDE = {"hx-retarget": "#refused", "hx-reswap": "innerHTML"}


def on_bad_request(request: Asked, error: BadRequest) -> Response[bytes]:
    return answer(request, 400, "the request makes no sense", str(error))


def on_bad_filter(request: Asked, error: BadFilter) -> Response[bytes]:
    given = request.query_params.multi_items()
    left = urlencode([(name, text) for name, text in given if text and name != error.name])
    way = (f"{request.url.path}{'?' if left else ''}{left}", f"Show it without {error.name}")
    return answer(request, 400, "this filter makes no sense", str(error), way)


def on_conflict(request: Asked, error: Conflict) -> Response[bytes]:
    return answer(request, 409, "it cannot be done now", str(error))


def on_not_there(request: Asked, error: NotThere) -> Response[bytes]:
    return answer(request, 404, "not found", str(error))


def on_not_known(request: Asked, error: NotKnown) -> Response[bytes]:
    """For people a page to log in on that keeps where they were and what they were about to send;
    for scripts a challenge."""
    browser = "sec-fetch-mode" in request.headers or "hx-request" in request.headers
    settings = request.app.state.service.settings
    if "hx-request" in request.headers:
        here = return_address(request.headers.get("hx-current-url", ""))
        words = "the session is over", "log in, then go on here: what is on this page stays"
        part = fragment("_refused.html.j2", title=words[0], advice=words[1], login=here)
        reply = Response(part.encode(), status_code=401, headers=ASIDE, media_type=HTML)
    elif HTML in request.headers.get("accept", ""):
        browser = True
        kept = Kept.of(request, error.kept)
        again, lost = bool(error.kept), error.too_large
        drawn = login_page(settings, kept=kept, again=again, lost=lost)
        reply = Response(drawn.encode(), status_code=401, media_type=HTML)
    else:
        advice = (
            "the password or token is wrong, or holds no more"
            if error.wrong
            else "send a token as a bearer token, or a password with HTTP Basic"
        )
        reply = answer(request, 401, "this needs a login", advice)
    # A browser that is asked for Basic opens a window of its own, over our page.
    challenge = "Bearer" if browser else 'Basic realm="router", charset="UTF-8", Bearer'
    reply.headers["www-authenticate"] = f'{challenge} realm="router"'
    return reply


def on_not_allowed(request: Asked, error: NotAllowed) -> Response[bytes]:
    return answer(request, 403, "this is not allowed", str(error))


def on_other_site(request: Asked, _error: OtherSite) -> Response[bytes]:
    advice = "send it from the router's own pages; if that is where you are, set ROUTER_URL"
    return answer(request, 403, "the request came from another site", advice)


def on_too_often(request: Asked, error: TooOften) -> Response[bytes]:
    seconds = math.ceil(error.wait)
    if request.url.path == LOGIN and HTML in request.headers.get("accept", ""):
        drawn = login_page(
            request.app.state.service.settings, kept=Kept.of(request, ()), wait=error.wait
        )
        headers = {"retry-after": str(seconds)}
        return Response(drawn.encode(), status_code=429, headers=headers, media_type=HTML)
    advice = f"there were too many wrong passwords; try again in {show_duration(error.wait)}"
    return answer(request, 429, "too many wrong passwords", advice, retry_after=str(seconds))


def on_unavailable(request: Asked, error: LedgerUnavailable) -> Response[bytes]:
    _log.error("ledger_unavailable", reason=str(error))
    title, advice = "the database cannot be used now", f"{error}. {MEANWHILE}"
    query = request.url.query
    way = (f"{request.url.path}{'?' if query else ''}{query}", "Try again")
    only = way if request.method == "GET" else None
    return answer(request, 503, title, advice, only, retry_after="5")


def on_crowded(request: Asked, error: Crowded) -> Response[bytes]:
    seconds = str(math.ceil(error.wait))
    return answer(request, 503, error.title, str(error), None, retry_after=seconds)


async def refuse_crowded(crowded: Crowded, send: Send) -> None:
    """Answer in few words where so many ask that even saying no must cost little."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"retry-after", str(math.ceil(crowded.wait)).encode()),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": f"{crowded}\n".encode(), "more_body": False})


def on_http(request: Asked, error: HTTPException) -> Response[bytes]:
    status = error.status_code
    allowed = (error.headers or {}).get("allow")
    more = {"allow": allowed} if allowed else {}
    title = HTTPStatus(status).phrase.lower()
    return answer(request, status, title, ADVICE.get(status, ""), None, **more)


def on_fault(request: Asked, error: Exception) -> Response[bytes]:
    # The path of a page or API call holds no secret; hooks do not come this way.
    _log.error("request_fault", path=request.scope["path"], exc_info=error)
    advice = "this is a fault of the router; its log says more"
    return answer(request, 500, "something went wrong", advice)


HANDLERS: dict[Any, Any] = {
    BadFilter: on_bad_filter,
    BadRequest: on_bad_request,
    Conflict: on_conflict,
    NotThere: on_not_there,
    NotKnown: on_not_known,
    NotAllowed: on_not_allowed,
    OtherSite: on_other_site,
    TooOften: on_too_often,
    LedgerUnavailable: on_unavailable,
    Crowded: on_crowded,
    HTTPException: on_http,
    Exception: on_fault,
}
