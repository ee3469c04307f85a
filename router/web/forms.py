"""Forms, read within bounds: so many bytes and so many fields, counted before they are parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar.exceptions import ClientException

from router.web.faults import BadRequest

if TYPE_CHECKING:
    from litestar import Request
    from litestar.datastructures import FormMultiDict

MAX_FIELDS = 2_000
"""Fields of a form: a list of deliveries that are ticked has a few hundred."""
MAX_KEPT = 128 * 1024
"""Bytes of a form that is kept through a login, or looked at before one."""
MAX_KEPT_FIELDS = 200
MAX_LOGIN = 6 * MAX_KEPT
"""Bytes of a login: what is kept stands in it as JSON, in the form's own quoting."""


async def receive_form(request: Request[Any, Any, Any]) -> FormMultiDict:
    """The form of somebody who was let in; raises BadRequest if it has too many fields."""
    body = await request.body()
    if body.count(b"&") >= MAX_FIELDS:
        raise BadRequest(f"a form has at most {MAX_FIELDS} fields")
    return await _parsed(request)


async def receive_small_form(request: Request[Any, Any, Any]) -> FormMultiDict | None:
    """The form of a stranger; None if it is larger than what is looked at or kept for them.

    What says no length is not read at all.
    """
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()) or int(length) > MAX_KEPT:
        return None
    body = await request.body()
    if body.count(b"&") >= MAX_KEPT_FIELDS or body.count(b"form-data") > MAX_KEPT_FIELDS:
        return None
    return await _parsed(request)


async def receive_login(request: Request[Any, Any, Any]) -> FormMultiDict:
    """The form of a login, with what it carries through; raises BadRequest if it is larger."""
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()) or int(length) > MAX_LOGIN:
        raise BadRequest("a login has a length, and is no larger than what it keeps")
    body = await request.body()
    if body.count(b"&") >= MAX_KEPT_FIELDS:
        raise BadRequest("a login has a name and a password")
    return await _parsed(request)


async def _parsed(request: Request[Any, Any, Any]) -> FormMultiDict:
    try:
        return await request.form()
    except (ClientException, ValueError, LookupError):
        raise BadRequest("the form cannot be read") from None
