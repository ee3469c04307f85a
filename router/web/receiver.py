"""Receive: POST /hooks/{source}/{secret} and its other forms.

The one hot route: plain ASGI in front of Litestar (whose way to a handler would cost a fifth of
an accept), authenticated here, nothing of the request in a log but its source.
A wrong secret and an unknown source are answered alike.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from router.ledger import LedgerUnavailable
from router.log import get_logger
from router.web.secrets import is_signed, prove_signature, prove_source

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send

    from router.service import Service

PREFIX = "/hooks/"
PROBLEM = b"application/problem+json"
JSON = b"application/json"

_log = get_logger()


async def receive_event(service: Service, scope: Scope, receive: Receive, send: Send) -> None:
    """Accept a posted event: 202 once it is written down."""
    try:
        answer = await _answer(service, scope, receive)
    except Exception:  # noqa: BLE001 - it is logged in full, and atfinity is told to try again
        _log.exception("receive_fault")
        answer = _problem(503, "the event could not be taken; send it again", _LATER)
    if answer is not None:
        await _send(send, *answer)


Answer = tuple[int, dict[str, Any], dict[bytes, bytes]]


async def _answer(service: Service, scope: Scope, receive: Receive) -> Answer | None:
    if scope.get("method") != "POST":
        return _problem(405, "events are sent with POST", {b"allow": b"POST"})
    if service.role == "deliver":
        return _problem(503, "this process delivers; another one receives", _LATER)
    name, _, rest = _path(scope).partition("/")
    given = rest or None
    headers = {
        key.decode("latin-1"): value.decode("latin-1")
        for key, value in scope["headers"]
        if key in _READ
    }
    source = service.rules.current.ruleset.sources.get(name)
    client = scope.get("client")
    address = client[0] if client else None
    proof = prove_source(source, given, headers, address)
    signed = proof == "wrong" and is_signed(headers)
    if proof == "wrong" and not signed:
        return _refuse(service, "secret")
    limit = service.settings.max_body
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limit:
        return _too_large(service, limit, signed=signed)
    body = await _read(receive, limit)
    if body is None:
        return None
    if len(body) > limit:
        return _too_large(service, limit, signed=signed)
    if signed:
        proof = prove_signature(source, headers, body, address, service.now())
    if proof == "wrong":
        return _refuse(service, "signature")
    return await _accept(service, name, body)


async def _accept(service: Service, source: str, body: bytes) -> Answer:
    try:
        receipt = await service.receive(body, source)
    except LedgerUnavailable as error:
        _log.error("event_not_written", source=source, reason=str(error))
        service.metrics.refused.labels("unavailable").inc()
        return _problem(503, "the event could not be written down; send it again", _LATER)
    if receipt.rejected is not None:
        return _problem(400, receipt.rejected, {}, event=receipt.event)
    return 202, {"event": receipt.event, "deliveries": receipt.deliveries}, {}


_READ = frozenset(
    {
        *(b"authorization", b"content-length", b"x-router-secret"),
        *(b"webhook-id", b"webhook-timestamp", b"webhook-signature"),
    }
)
_LATER = {b"retry-after": b"5"}


def _refuse(service: Service, reason: str) -> Answer:
    service.metrics.refused.labels(reason).inc()
    return _problem(404, "there is no such hook, or its secret is wrong", {})


def _too_large(service: Service, limit: int, *, signed: bool) -> Answer:
    if signed:  # not proven to be anybody we know: say no more than to a stranger
        return _refuse(service, "signature")
    service.metrics.refused.labels("too_large").inc()
    return _problem(413, f"the body is larger than {limit} bytes (ROUTER_MAX_BODY)", {})


def _problem(status: int, detail: str, headers: dict[bytes, bytes], **more: Any) -> Answer:
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase.lower(),
        "status": status,
        "detail": detail,
    }
    return status, {**problem, **more}, headers


def _path(scope: Scope) -> str:
    """What stands after /hooks/, as it was sent (Litestar changes `path` on the way)."""
    return unquote(scope["raw_path"].decode("latin-1")).removeprefix(PREFIX)


async def _read(receive: Receive, limit: int) -> bytes | None:
    """Read the body, one chunk past the limit at most; None if the sender went away."""
    chunks = []
    size = 0
    while size <= limit:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunk = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


async def _send(send: Send, status: int, content: dict[str, Any], more: dict[bytes, bytes]) -> None:
    body = msgspec.json.encode(content)
    headers = [
        (b"content-type", PROBLEM if status >= 400 else JSON),
        (b"content-length", str(len(body)).encode()),
        *more.items(),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
