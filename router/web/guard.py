"""What every request but a hook passes: a known host, a password, a page's own origin."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from litestar import Request
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware

from router.identity import Identity
from router.web.answers import answer
from router.web.secrets import prove_operator

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from router.service import Service
    from router.settings import Settings

OPEN = frozenset({"/livez", "/readyz"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
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


class Guard(ASGIMiddleware):
    """Lets a request in, or answers it; adds the security headers that a handler did not set."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        service: Service = scope["litestar_app"].state.service
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableScopeHeaders.from_message(message)
                for name, value in HEADERS.items():
                    given.setdefault(name, value)
            await send(message)

        refusal = _refusal(service.settings, scope["path"], str(scope.get("method")), headers)
        if refusal is None:
            client = scope["client"]
            name = "anyone" if service.settings.open_to_all else "operator"
            scope["user"] = Identity(name, "operator", "open", client[0] if client else None)
            await next_app(scope, receive, send_guarded)
            return
        status, title, advice = refusal
        response = answer(headers.get("accept", ""), status, title, advice)
        reply = response.to_asgi_response(None, Request(scope))
        await reply(scope, receive, send_guarded)


def _refusal(
    settings: Settings, path: str, method: str, headers: dict[str, str]
) -> tuple[int, str, str] | None:
    host = _host_name(headers.get("host", ""))
    if settings.open_to_all and not settings.insecure_no_auth and not _is_ours(settings, host):
        advice = f"open {settings.base_url}, or set ROUTER_URL to the address you use"
        return 421, "this router does not answer under that name", advice
    if path in OPEN:
        return None
    if prove_operator(settings, headers.get("authorization")) == "wrong":
        advice = "log in with ROUTER_ADMIN_PASSWORD, or send ROUTER_API_TOKEN as a bearer token"
        return 401, "this needs a password", advice
    if method not in SAFE and not _own_origin(headers):
        return 403, "the request came from another site", "send it from the router's own pages"
    return None


def _is_ours(settings: Settings, host: str) -> bool:
    """On loopback without a password, a page of another site must not reach us by a name of its
    own that points here."""
    return host in LOCAL or host in (settings.host, urlsplit(settings.base_url).hostname)


def _own_origin(headers: dict[str, str]) -> bool:
    if headers.get("authorization", "").lower().startswith("bearer "):
        return True  # a browser adds no bearer token by itself
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
