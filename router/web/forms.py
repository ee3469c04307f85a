"""Forms, read within bounds: so many bytes and so many fields, counted before they are parsed.

Parsed here and not by Litestar, which keeps the last thousand forms of anybody, with the passwords
in them, for as long as the process lives.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from litestar.datastructures import FormMultiDict
from litestar.exceptions import ClientException

from router.pools import FORMS, STRANGERS_FORMS
from router.web.faults import BadRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litestar import Request

MAX_FIELDS = 2_000
"""Fields of a form: a list of deliveries that are ticked has a few hundred."""
MAX_KEPT = 128 * 1024
"""Bytes of a form that is kept through a login, or read before one; and of one in parts, which
none of our pages sends."""
MAX_KEPT_FIELDS = 200
MAX_LOGIN = 6 * MAX_KEPT
"""Bytes of a login: what is kept stands in it as JSON, in the form's own quoting."""
MAX_PARSED_AT_ONCE = 16 * 1024
"""Bytes of a form that are parsed in the event loop; more of them take a thread."""
PAUSE = 3.0
"""For so many times as long as it has read a stranger's form, a thread rests: to take away their
quoting, one after the other, would slow down whatever else needs the interpreter."""

URL_ENCODED, IN_PARTS = "application/x-www-form-urlencoded", "multipart/form-data"


def has_form(request: Request[Any, Any, Any]) -> bool:
    """Whether the body says that it is a form."""
    return request.content_type[0] in (URL_ENCODED, IN_PARTS)


async def receive_form(request: Request[Any, Any, Any]) -> FormMultiDict:
    """The form of somebody who was let in; raises BadRequest if it has too many fields."""
    body = await request.body()
    return await _parse(request, body, MAX_FIELDS, _read_at_once)


async def receive_small_form(request: Request[Any, Any, Any]) -> FormMultiDict | None:
    """The form of a stranger; None if it is larger than what is read and kept for them.

    What says no length is not read at all.
    """
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()) or int(length) > MAX_KEPT:
        return None
    body = await request.body()
    if _count_fields(request, body) > MAX_KEPT_FIELDS:
        return None
    return await _parse(request, body, MAX_KEPT_FIELDS, _read_with_pauses)


async def receive_login(request: Request[Any, Any, Any]) -> FormMultiDict:
    """The form of a login, with what it carries through; its route bounds its bytes."""
    body = await request.body()
    return await _parse(request, body, MAX_KEPT_FIELDS, _read_with_pauses)


async def _parse(
    request: Request[Any, Any, Any],
    body: bytes,
    most: int,
    read_large: Callable[[bytes], Awaitable[FormMultiDict]],
) -> FormMultiDict:
    if _count_fields(request, body) > most:
        raise BadRequest(f"a form has at most {most} fields here")
    kind, _ = request.content_type
    if kind == URL_ENCODED:
        if len(body) > MAX_PARSED_AT_ONCE:
            return await read_large(body)
        return _read_quoted(body)
    if kind != IN_PARTS:
        return FormMultiDict()
    if len(body) > MAX_KEPT:
        raise BadRequest(f"a form in parts has at most {MAX_KEPT} bytes; send it as {URL_ENCODED}")
    try:
        return await request.form()
    except (ClientException, ValueError, LookupError):
        raise BadRequest("the form cannot be read") from None


def _count_fields(request: Request[Any, Any, Any], body: bytes) -> int:
    """Count the fields of a form, at little cost: never fewer than there are."""
    kind, options = request.content_type
    if kind == URL_ENCODED:
        return body.count(b"&") + 1
    boundary = options.get("boundary")
    return body.count(b"--" + boundary.encode()) if boundary else 0


async def _read_at_once(body: bytes) -> FormMultiDict:
    return await FORMS.run(_read_quoted, body)


async def _read_with_pauses(body: bytes) -> FormMultiDict:
    return await STRANGERS_FORMS.run(_read_and_rest, body)


def _read_and_rest(body: bytes) -> FormMultiDict:
    began = time.thread_time()
    try:
        return _read_quoted(body)
    finally:
        time.sleep(PAUSE * (time.thread_time() - began))


def _read_quoted(body: bytes) -> FormMultiDict:
    return FormMultiDict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
