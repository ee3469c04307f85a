"""Logging in and out: a session in the ledger, its secret in a cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from router.access import LONGEST, Refused
from router.duration import show_duration
from router.identity import clean_name
from router.pools import LOGINS, SESSIONS
from router.web.draw import alone
from router.web.faults import TooOften
from router.web.forms import MAX_LOGIN, receive_login
from router.web.identity import (
    ANYONE,
    COOKIE,
    COOKIE_TLS,
    address_of,
    cookie_of,
    identify,
    prove_password,
    session_of,
)
from router.web.keep import Kept, unpack

if TYPE_CHECKING:
    from router.identity import Identity
    from router.service import Service
    from router.settings import Settings

Asked = Request[Any, Any, Any]

LOGIN = "/login"


@get(LOGIN, opt=ANYONE)
async def show_login(request: Asked) -> Response[Any]:
    """The page to log in on; who is logged in already goes on."""
    service: Service = request.app.state.service
    kept = unpack(request.query_params.get("next", ""), "")
    out = "out" in request.query_params
    found = await identify(request)
    if found is not None and not isinstance(found, Refused) and not out:
        return Redirect(kept.back, status_code=303)
    return _html(login_page(service.settings, kept=kept, out=out), 200)


@post(LOGIN, opt=ANYONE, status_code=303, request_max_body_size=MAX_LOGIN)
async def log_in(request: Asked) -> Response[Any]:
    """Begin a session, and go on to where one was; a form that was kept is shown to be sent."""
    service: Service = request.app.state.service
    form = await receive_login(request)
    given = {name: value for name, value in form.items() if isinstance(value, str)}
    name, password = clean_name(given.get("name", "")), given.get("password", "")
    kept = unpack(given.get("next", ""), given.get("kept", ""))
    if not name or not password:
        drawn = login_page(service.settings, kept=kept, name=name, missing=True)
        return _html(drawn, 400)
    address = address_of(request)
    found = await prove_password(service, name, password, address, "login")
    if isinstance(found, Refused):
        if found.why == "often":
            raise TooOften(found.wait)
        return _html(login_page(service.settings, kept=kept, name=name, wrong=True), 401)
    cookie = await LOGINS.run(_begin, service, found, password)
    answer: Response[Any] = Redirect(kept.back, status_code=303)
    if kept.to is not None:
        answer = _html(alone("again.html.j2", kept=kept), 200)
    tls = _over_tls(request, service.settings)
    answer.set_cookie(_cookie(COOKIE_TLS if tls else COOKIE, cookie, LONGEST, tls=tls))
    return answer


@post("/logout", opt=ANYONE, status_code=303)
async def log_out(request: Asked) -> Redirect:
    """End the session."""
    service: Service = request.app.state.service
    found = await identify(request)
    cookie = session_of(request)
    ended = cookie is not None and await SESSIONS.run(service.access.end, cookie)
    if ended and found is not None and not isinstance(found, Refused):
        await SESSIONS.run(service.audit, found, "logout")
    answer = Redirect(f"{LOGIN}?out", status_code=303)
    for name, tls in ((COOKIE, False), (COOKIE_TLS, True)):
        if cookie_of(request, name) is not None:
            answer.set_cookie(_cookie(name, "", 0, tls=tls))
    return answer


HANDLERS = [show_login, log_in, log_out]


def login_page(
    settings: Settings,
    *,
    kept: Kept,
    name: str = "",
    wrong: bool = False,
    missing: bool = False,
    again: bool = False,
    lost: bool = False,
    out: bool = False,
    wait: float | None = None,
) -> str:
    """The page to log in on, and what it says above the form."""
    if wait is not None:
        told = f"There were too many wrong passwords. Try again in {show_duration(wait)}."
    elif wrong:
        told = "That is not a password of this router."
    elif missing:
        told = "A name and a password are both needed."
    elif again:
        told = (
            "You are logged out, so nothing was done yet. What you were about to send is kept:"
            " after the login you can send it."
        )
    elif lost:
        told = (
            "You are logged out, so nothing was done. What you were about to send is too large to"
            " be kept here: go back in your browser to copy it, log in, and send it again."
        )
    elif out:
        told = "You are logged out."
    else:
        told = ""
    return alone(
        "login.html.j2",
        told=told,
        bad=wrong or missing or wait is not None,
        name=name,
        kept=kept,
        password=settings.asks_for_password,
    )


def _begin(service: Service, who: Identity, password: str) -> str:
    cookie = service.access.begin(who, password)
    service.audit(who, "login")
    return cookie


def _over_tls(request: Asked, settings: Settings) -> bool:
    """Whether the browser speaks TLS with whoever it speaks to: it says so itself."""
    origin = request.headers.get("origin", "")
    if "://" in origin:
        return origin.startswith("https://")
    return request.scope["scheme"] == "https" or settings.base_url.startswith("https://")


def _cookie(name: str, value: str, seconds: float, *, tls: bool) -> Cookie:
    # Not `strict`: a link in a message to an event would find nobody logged in.
    return Cookie(
        key=name,
        value=value,
        max_age=int(seconds),
        path="/",
        secure=tls,
        httponly=True,
        samesite="lax",
    )


def _html(drawn: str, status: int) -> Response[Any]:
    return Response(drawn, status_code=status, media_type="text/html")
