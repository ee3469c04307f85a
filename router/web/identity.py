"""Who asks: how a request proves it, and what handlers use of it."""

from __future__ import annotations

import ipaddress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from router.access import PREFIX, Refused
from router.identity import Identity
from router.pools import LOGINS, PAGES, PASSWORDS, SESSIONS, Crowded, NoPoolThread
from router.web.secrets import read_basic

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection

    from router.identity import Deed, Way
    from router.service import Service

    Asked = ASGIConnection[Any, Any, Any, Any]

ANYONE = {"needs": "anyone"}
"""`opt=ANYONE` on a handler: no login is asked for."""
VIEWER = {"needs": "viewer"}
"""`opt=VIEWER` on a handler that only reads, though it is no GET."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Over TLS the browser lets nobody else set a cookie of that name.
COOKIE, COOKIE_TLS = "router_session", "__Host-router_session"

_asking: ContextVar[Identity | None] = ContextVar("asking", default=None)


def service_of(request: Asked) -> Service:
    """The service that a request came to."""
    service: Service = request.app.state.service
    return service


def request_identity(request: Asked) -> Identity:
    """Who sent a request: `name`, `role`, and `may_act` (whether they are an operator).

    Every handler may ask, but for those that are open to anyone.
    A handler without an `opt` needs a viewer if it is a GET, and an operator otherwise: so what
    acts need not ask.
    """
    known: Identity = request.user
    return known


def asking() -> Identity | None:
    """The same for what draws pages: who this answer is for, None if that is not known."""
    return _asking.get()


async def audit(request: Asked, what: Deed, about: str = "", detail: str = "") -> None:
    """Write down that the one who sent a request did something; call it once it is done.

        await audit(request, "resend", f"delivery {number}", "with fresh words")

    `about` is what it was done to, `detail` what else is to know; never a secret.
    Code that runs in a thread calls `service.audit(request_identity(request), ...)` instead.
    """
    service = service_of(request)
    await PAGES.run(service.audit, request_identity(request), what, about, detail)


async def identify(request: Asked) -> Identity | Refused | None:
    """Who sent a request, by the first proof it carries; None if it carries none.

    The word of a trusted proxy, then `Authorization`, then the session. Where nobody is asked who
    they are, everybody is an operator, and a proof that is wrong does not matter.
    """
    service = service_of(request)
    found = await _prove(service, request) if _carries(request) else None
    if service.settings.open_to_all and not isinstance(found, Identity):
        found = Identity("anyone", "operator", "open", address_of(request))
    if isinstance(found, Identity):
        request.scope["user"] = found
        _asking.set(found)
    return found


async def prove_password(
    service: Service, name: str, password: str, address: str | None, way: Way
) -> Identity | Refused:
    """Who somebody is by a password: at once if it was proven here before or has to wait, else in
    the pool for it; who finds that crowded has to come again."""
    access = service.access
    known = access.by_proven(name, password, address, way)
    if known is not None:
        return known
    wait = access.tries.wait_of(way, address)
    if wait is not None:
        return Refused("often", wait)
    pool = LOGINS if way == "login" else PASSWORDS
    try:
        return await pool.run(access.by_password, name, password, address, way)
    except NoPoolThread:
        raise
    except Crowded as crowded:
        return Refused("often", crowded.wait)


def address_of(request: Asked) -> str | None:
    return request.client.host if request.client else None


def session_of(request: Asked) -> str | None:
    """What the session's cookie holds."""
    held = cookie_of(request, COOKIE_TLS)
    return held or (None if request.scope["scheme"] == "https" else cookie_of(request, COOKIE))


def cookie_of(request: Asked, name: str) -> str | None:
    """What a cookie of ours holds. Read here and not by Litestar, which keeps the last thousand
    headers of anybody."""
    for part in request.headers.get("cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return None


def _carries(request: Asked) -> bool:
    header = service_of(request).settings.sso_user_header
    names = ("authorization", "cookie", *([header] if header else []))
    return any(name in request.headers for name in names)


async def _prove(service: Service, request: Asked) -> Identity | Refused | None:
    address, access = address_of(request), service.access
    settings = service.settings
    if settings.sso_user_header is not None and _by_proxy(request, settings.trusted_proxies):
        users = request.headers.getall(settings.sso_user_header, [])
        groups = request.headers.get(settings.sso_groups_header or "", "")
        if users:
            # Two of them are one that the proxy added to one that was sent to it.
            user = users[0] if len(users) == 1 else ""
            listed = [name for part in groups.split(",") if (name := part.strip())]
            return access.by_proxy(user, listed, address)
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    given = rest.strip()
    if scheme.lower() == "bearer" and given.startswith(PREFIX):
        known = await SESSIONS.run(access.by_token, given, address)
        if known is not None:
            return known
    if scheme.lower() == "bearer" and not settings.open_to_all:
        return await prove_password(service, "API token", given, address, "token")
    if scheme.lower() == "basic" and not settings.open_to_all:
        name, password = read_basic(rest) or ("", "")
        return await prove_password(service, name, password, address, "basic")
    cookie = session_of(request)
    if cookie is None:
        return None
    # A page that looks by itself for what is new is not somebody who is there.
    looks = request.scope.get("method") in SAFE and "hx-request" in request.headers
    return await SESSIONS.run(access.by_session, cookie, address, notes_use=not looks)


def _by_proxy(request: Asked, trusted: tuple[str, ...]) -> bool:
    """Whether who is connected to us, not who they say they speak for, is a trusted proxy."""
    peer: Any = request.scope.get("router.peer")
    try:
        found = ipaddress.ip_address(peer[0] if peer else "")
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or found
    return any(mapped in ipaddress.ip_network(network) for network in trusted)
