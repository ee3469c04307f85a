"""What every request but a hook passes: a known host, who asks and what they may, their origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.datastructures import MutableScopeHeaders

from router.access import Refused
from router.web.answers import answer
from router.web.faults import NotAllowed, NotKnown, OtherSite, TooOften
from router.web.forms import has_form, receive_small_form
from router.web.identity import SAFE, identify

if TYPE_CHECKING:
    from litestar.handlers import BaseRouteHandler
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from router.identity import Identity
    from router.service import Service
    from router.settings import Settings
    from router.web.identity import Asked

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; form-action 'self'; frame-src 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    # Not `no-referrer`: with it a browser hides its origin even from us.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "",
    "cache-control": "no-store",
}


def guarded(service: Service, app: ASGIApp) -> ASGIApp:
    """Put a guard before an application: it answers only under its own name, and every answer has
    the security headers that its handler did not set."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableScopeHeaders.from_message(message)
                for name, value in HEADERS.items():
                    given.setdefault(name, value)
            await send(message)

        request: Request[Any, Any, Any] = Request(scope)
        settings = service.settings
        host = _host_name(request.headers.get("host", ""))
        if settings.open_to_all and not settings.insecure_no_auth and not _is_ours(settings, host):
            advice = f"open {settings.base_url}, or set ROUTER_URL to the address you use"
            title = "this router does not answer under that name"
            refusal = answer(request, 421, title, advice)
            await refusal.to_asgi_response(None, request)(scope, receive, send_guarded)
            return
        await app(scope, receive, send_guarded)

    return guard


async def admit(request: Asked, handler: BaseRouteHandler) -> None:
    """Let a request in to its handler, or raise why not.

    What a handler needs stands in its `opt` (`ANYONE`, `VIEWER`); without one, what only reads
    needs a viewer, and what acts an operator.
    """
    method = str(request.scope.get("method"))
    need = handler.opt.get("needs", "viewer" if method in SAFE else "operator")
    if need == "anyone":
        _check_origin(request, method, None)
        return
    found = await identify(request)
    if found is None or isinstance(found, Refused):
        await _refuse(request, method, found)
        return
    _check_origin(request, method, found)
    if need == "operator" and not found.may_act:
        raise NotAllowed(
            f"{found.name} is a viewer: to look is allowed, to act is not; an operator can do it"
        )


async def _refuse(request: Asked, method: str, refused: Refused | None) -> None:
    if refused is not None and refused.why == "often":
        raise TooOften(refused.wait)
    if refused is not None and refused.why == "unlisted":
        name = refused.name or "nobody"
        raise NotAllowed(f"the router does not know `{name}`; ask its operators to list you")
    wrong = refused is not None
    kept: tuple[tuple[str, str], ...] = ()
    if method not in SAFE and isinstance(request, Request) and has_form(request):
        _check_origin(request, method, None)
        form = await receive_small_form(request)
        if form is None:
            raise NotKnown(wrong=wrong, too_large=True)
        kept = tuple((name, value) for name, value in form.items() if isinstance(value, str))
    raise NotKnown(wrong=wrong, kept=kept)


def _check_origin(request: Asked, method: str, who: Identity | None) -> None:
    """A page of another site can make a browser send requests: they do not count.

    A browser says where a request comes from. Scripts, which prove who they are by themselves,
    need not.
    """
    headers = request.headers
    if method in SAFE or headers.get("authorization", "").lower().startswith("bearer "):
        return  # a browser adds no bearer token by itself
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        own = site in ("same-origin", "none")
    elif origin is not None:
        base = request.app.state.service.settings.base_url
        own = _netloc(origin) in (headers.get("host"), urlsplit(base).netloc)
    else:
        own = who is None or who.way not in ("login", "proxy")
    if not own:
        raise OtherSite


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # what no browser sends
        return None


def _is_ours(settings: Settings, host: str) -> bool:
    """On loopback without a password, a page of another site must not reach us by a name of its
    own that points here."""
    return host in LOCAL or host in (settings.host, urlsplit(settings.base_url).hostname)


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
